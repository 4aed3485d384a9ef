import { isHead, type NetworkConfig } from '../../contracts/architecture';
import { AppError } from '../../errors/app-error';
import type { Network } from '../network/network';
import { frameSamples, inputSamples } from '../network/trunk';
import type { WeightValues } from '../../registry/weights-file';
import { isNative } from './is-native';
import { namedTensors } from './named-tensors';
import { loadKernels, type AddonNetwork, type KernelsChoice, type NativeStep } from './kernels-addon';

/** A batch as the kernels take it. */
interface NativeBatch {
  /** [size, inputs], finite */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  /**
   * For each clip its place in the slice whose dropout mask it shares, then a seed for each of
   * `NativeNetwork.dropoutPlaces`.
   */
  readonly masks: Uint32Array;
}

/**
 * A network on the fused CPU kernels: plain values in, plain values out, computed on the kernels' own
 * threads while the caller waits.
 */
export interface NativeNetwork {
  /** The layers that drop, in the order of a mask's seeds. */
  readonly dropoutPlaces: readonly string[];
  setWeights(values: WeightValues): void;
  /** The optimiser's state, without which `step` refuses. */
  setMoments(first: WeightValues, second: WeightValues): void;
  /**
   * Those that the network computes with: parameters that are counted and never run are not among them.
   */
  weights(): WeightValues;
  moments(): { readonly first: WeightValues; readonly second: WeightValues };
  /** @returns logits [size, classes] */
  logits(features: Float32Array, size: number): Float32Array;
  /** A step of the optimiser on the mean cross-entropy; `step` is 1 for the first. */
  step(batch: NativeBatch, learningRate: number, step: number): NativeStep;
  /** The gradients of the mean cross-entropy; nothing changes. */
  gradients(batch: NativeBatch): NativeStep & { readonly gradients: WeightValues };
  dispose(): void;
}

/** The layers that drop, as the reference names them (`dropout` in shared/compute/network). */
export const dropoutPlaces = {
  cnn: ['conv1', 'conv2', 'conv3'],
  transformer: ['attention1', 'attention2', 'attention3', 'attention4', 'feedForward'],
} as const;

export interface NativeNetworkOptions {
  /** Frames of earlier clips whose tokens are kept, 80 kB each; the answers are the same to the bit. */
  readonly cachedFrames?: number;
}

/**
 * The network on the kernels, its weights still to be set; undefined when TensorFlow.js is to compute
 * it.
 * @throws AppError invalid-configuration when the kernels are forced and do not compute this network
 */
export function createNativeNetwork(
  choice: KernelsChoice | undefined,
  { config, parameters, outputs }: Network,
  { cachedFrames = 0 }: NativeNetworkOptions = {},
): NativeNetwork | undefined {
  if (choice === undefined || !computesNetworks(choice, config)) return undefined;
  const { path, instructionSet, threads } = choice;
  if (isHead(config)) return undefined;
  const options = { instructionSet, threads, classes: outputs, dropout: config.dropout };
  const addon = loadKernels(path);
  const names = parameters.map(({ name }) => name);
  switch (config.architecture) {
    case 'cnn': {
      // `counted` batch norm: its parameters are in the table and in the weights, and no figure depends
      // on them.
      const computed = names.filter((name) => /\/(kernel|bias)$/.test(name));
      const cnn = addon.createCnn({ ...options, samples: inputSamples, cachedFrames, frameSamples });
      return wrap(cnn, computed, dropoutPlaces.cnn);
    }
    case 'transformer': {
      const { heads, hidden } = config;
      const transformer = addon.createTransformer({ ...options, samples: inputSamples, heads, hidden });
      return wrap(transformer, names, dropoutPlaces.transformer);
    }
    default:
      return undefined;
  }
}

/** @throws AppError invalid-configuration when the kernels are forced and do not compute the network */
function computesNetworks({ computes, forced }: KernelsChoice, config: NetworkConfig): boolean {
  if (computes !== 'networks') return false;
  if (isNative(config) || !forced) return isNative(config);
  const message = `ENGINE_KERNELS=native, but there are no native kernels for ${JSON.stringify(config)}.`;
  throw new AppError('invalid-configuration', message);
}

function wrap(
  addon: AddonNetwork,
  names: readonly string[],
  dropoutPlaces: readonly string[],
): NativeNetwork {
  const { inOrder: tensors, byName: named } = namedTensors(names);
  return {
    dropoutPlaces,
    setWeights: (values) => {
      addon.setWeights(tensors(values));
    },
    setMoments: (first, second) => {
      addon.setMoments(tensors(first), tensors(second));
    },
    weights: () => named(addon.weights()),
    moments: () => {
      const [first, second] = addon.moments();
      return { first: named(first), second: named(second) };
    },
    logits: (features, size) => addon.logits(features, size),
    step: ({ features, labels, masks }, learningRate, step) =>
      addon.step(features, labels, masks, learningRate, step),
    gradients: ({ features, labels, masks }) => {
      const { gradients, ...result } = addon.gradients(features, labels, masks);
      return { ...result, gradients: named(gradients) };
    },
    dispose: () => {
      addon.dispose();
    },
  };
}
