import * as tf from '@tensorflow/tfjs-core';
import { concatenate } from '../../signal/concatenate';
import { encoderBands, encoderOutputs } from '../../encoder/mobile-net';
import { encoderParameters } from '../network/encoder-weights';
import { encoderMinSamples, kaldiFrames, kaldiMel } from '../../front-end/kaldi-mel';
import { AppError } from '../../errors/app-error';
import { encodePictures } from '../network/mobile-net';
import type { WeightArrays } from '../network/network';
import { loadKernels, type KernelsChoice } from '../kernels/kernels-addon';
import { createNativePictures } from '../kernels/native-inputs';
import type { LoadedEngine } from '../provide/load-engine';
import { readOnce } from './graph-scorer';

/** A pretrained encoder with its weights, on the calling thread's engine. */
export interface Encoder {
  /**
   * Begins to encode windows; an engine that computes beside this thread goes on meanwhile.
   * @param windows mono at the encoder's rate; each is heard as long as it is, but half a second at
   *   least
   * @returns waits for the outputs, to be called once: of each window 384 features and the logits of 527
   *   tags, one window after the other
   */
  begin(windows: readonly Float32Array[]): () => Float32Array;
  /** Begins and waits. */
  encode(windows: readonly Float32Array[]): Float32Array;
  dispose(): void;
}

/** @throws AppError engine-unavailable where the engine was loaded without the encoder's weights */
export function createEncoder({ kernels, encoderWeights: values }: LoadedEngine): Encoder {
  if (values === undefined) throw new AppError('engine-unavailable', 'The encoder was not loaded.');
  return kernels?.computes === 'networks'
    ? createNativeEncoder(kernels, values)
    : createTensorflowEncoder(values, kernels);
}

function createNativeEncoder(
  { path, instructionSet, threads }: KernelsChoice,
  values: WeightArrays,
): Encoder {
  const encoder = loadKernels(path).createAudioEncoder({ instructionSet, threads });
  encoder.setWeights(encoderParameters.map(({ name }) => values[name]!));
  const encode = (windows: readonly Float32Array[]): Float32Array => encoder.encode(windows);
  return {
    begin: (windows) => {
      const outputs = encode(windows);
      return () => outputs;
    },
    encode,
    dispose: () => {
      encoder.dispose();
    },
  };
}

/** @param kernels compute the front end, where they are there */
function createTensorflowEncoder(values: WeightArrays, kernels: KernelsChoice | undefined): Encoder {
  const weights = Object.fromEntries(
    encoderParameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape], 'float32')]),
  );
  const native = kernels && createNativePictures(kernels);
  const begin = (windows: readonly Float32Array[]): (() => Float32Array) => {
    const pictures = native === undefined ? windows.map(pictureOf) : split(native.of(windows), windows);
    // Windows of one length go through the network together.
    const groups = groupByLength(pictures);
    const outputs = tf.tidy(() =>
      tf.concat2d(
        groups.map((places) => {
          const length = pictures[places[0]!]!.length;
          const rows = places.map((place) => pictures[place]!);
          const values = concatenate(rows, places.length * length);
          return encodePictures(weights, tf.tensor2d(values, [places.length, length]));
        }),
        0,
      ),
    );
    return () => inOrder(readOnce(outputs), groups.flat());
  };
  return {
    begin,
    encode: (windows) => begin(windows)(),
    dispose: () => {
      tf.dispose(weights);
      native?.dispose();
    },
  };
}

/** Rows of outputs at the places of their windows. */
function inOrder(rows: Float32Array, places: readonly number[]): Float32Array {
  if (places.every((place, index) => place === index)) return rows;
  const ordered = new Float32Array(rows.length);
  places.forEach((place, index) => {
    const row = rows.subarray(index * encoderOutputs, (index + 1) * encoderOutputs);
    ordered.set(row, place * encoderOutputs);
  });
  return ordered;
}

/** The front end's output of each window, out of all. */
function split(pictures: Float32Array, windows: readonly Float32Array[]): Float32Array[] {
  let next = 0;
  return windows.map(({ length }) => {
    const start = next;
    next += kaldiFrames(Math.max(length, encoderMinSamples)) * encoderBands;
    return pictures.subarray(start, next);
  });
}

/** Of a window with silence at its end where it is too short for the network. */
function pictureOf(window: Float32Array): Float32Array {
  if (window.length >= encoderMinSamples) return kaldiMel(window);
  const completed = new Float32Array(encoderMinSamples);
  completed.set(window);
  return kaldiMel(completed);
}

/** The places of pictures of equal length, in order. */
function groupByLength(pictures: readonly Float32Array[]): number[][] {
  const groups = new Map<number, number[]>();
  pictures.forEach(({ length }, place) => {
    const group = groups.get(length);
    if (group === undefined) groups.set(length, [place]);
    else group.push(place);
  });
  return [...groups.values()];
}
