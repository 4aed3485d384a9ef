import { createRequire } from 'node:module';
import type { NetworkConfig } from '../contracts/architecture';
import { AppError } from '../errors/app-error';
import type { Network } from '../network/network';
import { frameSamples, inputSamples } from '../network/trunk';
import type { WeightValues } from '../registry/weights-file';

/** The fused CPU kernels: the addon, and how to run it. */
export interface KernelsChoice {
  readonly path: string;
  readonly instructionSet: string;
  readonly threads: number;
  /** Other networks than those they compute are refused. */
  readonly forced: boolean;
}

/** What a training step reports. */
export interface NativeStep {
  /** Summed over the batch's clips, before the step. */
  readonly loss: number;
  readonly correct: number;
}

/** A batch as the kernels take it. */
export interface NativeBatch {
  /** [size, inputSamples], finite */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  /**
   * For each clip its place in the slice whose dropout mask it shares, then a seed for each of
   * `NativeNetwork.dropoutPlaces`.
   */
  readonly masks: Uint32Array;
}

/**
 * A network on the fused CPU kernels: plain values in, plain values out, computed on the kernels' own threads while
 * the caller waits.
 */
export interface NativeNetwork {
  /** The layers that drop, in the order of a mask's seeds. */
  readonly dropoutPlaces: readonly string[];
  setWeights(values: WeightValues): void;
  /** The optimiser's state, without which `step` refuses. */
  setMoments(first: WeightValues, second: WeightValues): void;
  /** Those that the network computes with: parameters that are counted and never run are not among them. */
  weights(): WeightValues;
  moments(): { readonly first: WeightValues; readonly second: WeightValues };
  /** @returns logits [size, classes] */
  logits(features: Float32Array, size: number): Float32Array;
  /** A step of Adam on the mean cross-entropy; `step` is 1 for the first. */
  step(batch: NativeBatch, learningRate: number, step: number): NativeStep;
  /** The gradients of the mean cross-entropy; nothing changes. */
  gradients(batch: NativeBatch): NativeStep & { readonly gradients: WeightValues };
  dispose(): void;
}

/** The addon's own objects: parameters by position. Every argument is checked there: TypeError or RangeError. */
interface AddonNetwork {
  setWeights(tensors: readonly Float32Array[]): void;
  setMoments(first: readonly Float32Array[], second: readonly Float32Array[]): void;
  weights(): Float32Array[];
  moments(): [Float32Array[], Float32Array[]];
  logits(features: Float32Array, size: number): Float32Array;
  step(
    features: Float32Array,
    labels: Int32Array,
    masks: Uint32Array,
    learningRate: number,
    step: number,
  ): NativeStep;
  gradients(
    features: Float32Array,
    labels: Int32Array,
    masks: Uint32Array,
  ): NativeStep & { gradients: Float32Array[] };
  dispose(): void;
}

interface AddonOptions {
  readonly instructionSet: string;
  readonly threads: number;
  readonly samples: number;
  readonly classes: number;
  readonly dropout: number;
}

interface CnnOptions extends AddonOptions {
  /** Frames of earlier clips whose tokens are kept; 0: none. */
  readonly cachedFrames: number;
  /** The length of the frames that make up a clip. */
  readonly frameSamples: number;
}

interface TransformerOptions extends AddonOptions {
  readonly heads: number;
  readonly hidden: number;
}

export interface KernelsAddon {
  /** Those that this machine runs, the fastest first: `avx512`, `avx2`, `baseline`. */
  instructionSets(): string[];
  createCnn(options: CnnOptions): AddonNetwork;
  createTransformer(options: TransformerOptions): AddonNetwork;
}

/** The layers that drop, as the reference names them (`dropout` in shared/network). */
export const dropoutPlaces = {
  cnn: ['conv1', 'conv2', 'conv3'],
  transformer: [
    ...['conv1', 'conv2', 'conv3'],
    ...['attention1', 'attention2', 'attention3', 'attention4'],
    'feedForward',
  ],
} as const;

const require_ = createRequire(__filename);

/** @throws AppError engine-unavailable when it does not load */
export function loadKernels(path: string): KernelsAddon {
  try {
    return require_(path) as KernelsAddon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('engine-unavailable', `The native kernels do not load: ${reason}`, { cause });
  }
}

/** Whether the kernels compute this network. */
export function isNative(config: NetworkConfig): boolean {
  switch (config.architecture) {
    case 'cnn':
      return config.batchNorm === 'counted';
    case 'transformer':
      return true;
    case 'mel':
    case 'mel-small':
      return false;
  }
}

/**
 * The network on the kernels, its weights still to be set; undefined when TensorFlow.js is to compute it.
 * @param cachedFrames frames of earlier clips whose tokens are kept, 80 kB each; the answers are the same to the bit
 * @throws AppError invalid-configuration when the kernels are forced and do not compute this network
 */
export function createNativeNetwork(
  choice: KernelsChoice | undefined,
  { config, parameters }: Network,
  cachedFrames = 0,
): NativeNetwork | undefined {
  if (choice === undefined) return undefined;
  if (!isNative(config)) {
    if (!choice.forced) return undefined;
    const message = `ENGINE_KERNELS=native, but there are no native kernels for ${JSON.stringify(config)}.`;
    throw new AppError('invalid-configuration', message);
  }
  const { path, instructionSet, threads } = choice;
  const classes = parameters.at(-1)!.shape[0]!;
  const options = { instructionSet, threads, samples: inputSamples, classes, dropout: config.dropout };
  const addon = loadKernels(path);
  const names = parameters.map(({ name }) => name);
  if (config.architecture === 'transformer') {
    const { heads, hidden } = config;
    return wrap(addon.createTransformer({ ...options, heads, hidden }), names, dropoutPlaces.transformer);
  }
  // `counted` batch norm: its parameters are in the table and in the weights, and no figure depends on them.
  const computed = names.filter((name) => /\/(kernel|bias)$/.test(name));
  return wrap(addon.createCnn({ ...options, cachedFrames, frameSamples }), computed, dropoutPlaces.cnn);
}

function wrap(
  addon: AddonNetwork,
  names: readonly string[],
  dropoutPlaces: readonly string[],
): NativeNetwork {
  const tensors = (values: WeightValues): Float32Array[] => names.map((name) => values[name]!);
  const named = (values: readonly Float32Array[]): WeightValues =>
    Object.fromEntries(names.map((name, index) => [name, values[index]!]));
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
