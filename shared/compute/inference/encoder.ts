import * as tf from '@tensorflow/tfjs-core';
import { concatenate } from '../../signal/concatenate';
import { encoderOutputs } from '../../encoder/mobile-net';
import { encoderParameters } from '../network/encoder-weights';
import { encoderMinSamples, kaldiMel } from '../../front-end/kaldi-mel';
import { AppError } from '../../errors/app-error';
import { encodePictures } from '../network/mobile-net';
import type { WeightArrays } from '../network/network';
import { loadKernels, type KernelsChoice } from '../kernels/kernels-addon';
import type { LoadedEngine } from '../provide/load-engine';

/** A pretrained encoder with its weights, on the calling thread's engine. */
export interface Encoder {
  /**
   * @param windows mono at the encoder's rate; each is heard as long as it is, but half a second at
   *   least
   * @returns of each window 384 features and the logits of 527 tags, one window after the other
   */
  encode(windows: readonly Float32Array[]): Float32Array;
  dispose(): void;
}

/** @throws AppError engine-unavailable where the engine was loaded without the encoder's weights */
export function createEncoder({ kernels, encoderWeights: values }: LoadedEngine): Encoder {
  if (values === undefined) throw new AppError('engine-unavailable', 'The encoder was not loaded.');
  return kernels === undefined ? createReferenceEncoder(values) : createNativeEncoder(kernels, values);
}

function createNativeEncoder(
  { path, instructionSet, threads }: KernelsChoice,
  values: WeightArrays,
): Encoder {
  const encoder = loadKernels(path).createAudioEncoder({ instructionSet, threads });
  encoder.setWeights(encoderParameters.map(({ name }) => values[name]!));
  return {
    encode: (windows) => encoder.encode(windows),
    dispose: () => {
      encoder.dispose();
    },
  };
}

function createReferenceEncoder(values: WeightArrays): Encoder {
  const weights = Object.fromEntries(
    encoderParameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape], 'float32')]),
  );
  return {
    encode: (windows) => {
      const rows = new Float32Array(windows.length * encoderOutputs);
      // Windows of one length go through the network together.
      for (const places of groupByLength(windows)) {
        const pictures = places.map((place) => kaldiMel(heardSamples(windows[place]!)));
        const length = pictures[0]!.length;
        const outputs = tf.tidy(() =>
          encodePictures(
            weights,
            tf.tensor2d(concatenate(pictures, places.length * length), [places.length, length]),
          ).dataSync(),
        );
        places.forEach((place, index) => {
          const row = outputs.subarray(index * encoderOutputs, (index + 1) * encoderOutputs);
          rows.set(row, place * encoderOutputs);
        });
      }
      return rows;
    },
    dispose: () => {
      tf.dispose(weights);
    },
  };
}

/** A window with silence at its end where it is too short for the network. */
function heardSamples(window: Float32Array): Float32Array {
  if (window.length >= encoderMinSamples) return window;
  const completed = new Float32Array(encoderMinSamples);
  completed.set(window);
  return completed;
}

/** The places of windows of equal length, in order. */
function groupByLength(windows: readonly Float32Array[]): number[][] {
  const groups = new Map<number, number[]>();
  windows.forEach(({ length }, place) => {
    const group = groups.get(length);
    if (group === undefined) groups.set(length, [place]);
    else group.push(place);
  });
  return [...groups.values()];
}
