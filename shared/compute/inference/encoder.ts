import * as tf from '@tensorflow/tfjs-core';
import { concatenate } from '../../signal/concatenate';
import { encoderBands, encoderOutputs } from '../../encoder/mobile-net';
import { encoderMinSamples, kaldiFrames, kaldiMel } from '../../front-end/kaldi-mel';
import { AppError } from '../../errors/app-error';
import { encoderNetworks } from '../network/encoder-networks';
import { loadKernels, type KernelsAddon, type KernelsChoice } from '../kernels/kernels-addon';
import type { EncoderName } from '../../contracts/front-end';
import type { EncoderWeights, LoadedEngine } from '../provide/load-engine';
import { readOnce } from './graph-scorer';

/** An encoder with its weights, on the calling thread's engine. */
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
export function createEncoder({ kernels, encoderWeights: weights }: LoadedEngine): Encoder {
  if (weights === undefined) throw new AppError('engine-unavailable', 'The encoder was not loaded.');
  return kernels?.computes === 'networks'
    ? createNativeEncoder(kernels, weights)
    : createTensorflowEncoder(weights, kernels);
}

/** The addon's encoder, its weights still to be set; the front end needs none. */
function addonEncoder(
  { path, instructionSet, threads }: KernelsChoice,
  name: EncoderName,
): ReturnType<KernelsAddon['createAudioEncoder']> {
  const { native: network } = encoderNetworks[name];
  return loadKernels(path).createAudioEncoder({ instructionSet, threads, network });
}

function createNativeEncoder(kernels: KernelsChoice, { name, values }: EncoderWeights): Encoder {
  const { parameters } = encoderNetworks[name];
  const encoder = addonEncoder(kernels, name);
  encoder.setWeights(parameters.map((parameter) => values[parameter.name]!));
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
function createTensorflowEncoder(
  { name: encoder, values: stored }: EncoderWeights,
  kernels: KernelsChoice | undefined,
): Encoder {
  const { inference } = encoderNetworks[encoder];
  const values = inference.values(stored);
  const weights = Object.fromEntries(
    inference.parameters.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape], 'float32')]),
  );
  const native = kernels && addonEncoder(kernels, encoder);
  const begin = (windows: readonly Float32Array[]): (() => Float32Array) => {
    const pictures = native === undefined ? windows.map(pictureOf) : split(native.pictures(windows), windows);
    // Windows of one length go through the network together.
    const groups = groupByLength(pictures);
    const outputs = tf.tidy(() =>
      tf.concat2d(
        groups.map((places) => {
          const length = pictures[places[0]!]!.length;
          const rows = places.map((place) => pictures[place]!);
          const values = concatenate(rows, places.length * length);
          return inference.forward(weights, tf.tensor2d(values, [places.length, length]));
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

/** Computes the picture of a window, with silence at its end where it is too short for the network. */
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
