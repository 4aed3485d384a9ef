import { createRequire } from 'node:module';
import { AppError } from '../../errors/app-error';

/** The fused CPU kernels: the addon, and how to run it. */
export interface KernelsChoice {
  readonly path: string;
  readonly instructionSet: string;
  readonly threads: number;
  /**
   * What is computed on them: networks with their inputs, as far as they can; or inputs and resampling
   * alone, while TensorFlow.js computes every network.
   */
  readonly computes: 'networks' | 'inputs';
  /** Other networks than those they compute are refused. */
  readonly forced: boolean;
}

/** What a training step reports. */
export interface NativeStep {
  /** Summed over the batch's clips, before the step. */
  readonly loss: number;
  readonly correct: number;
}

/**
 * The addon's own objects: parameters by position. Every argument is checked there: TypeError or
 * RangeError.
 */
interface AddonParameters {
  setWeights(tensors: readonly Float32Array[]): void;
  setMoments(first: readonly Float32Array[], second: readonly Float32Array[]): void;
  weights(): Float32Array[];
  moments(): [Float32Array[], Float32Array[]];
  logits(features: Float32Array, size: number): Float32Array;
  dispose(): void;
}

/** A network that learns from labels. */
export interface AddonNetwork extends AddonParameters {
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
}

/**
 * A network that learns to give the outputs of another one: `targets` [size, outputs] are that one's
 * features, then the probabilities of its tags. It has no dropout, and so `masks` are empty.
 */
export interface AddonStudent extends AddonParameters {
  /** The weights' running means, which `logits` then takes. */
  setAverages(tensors: readonly Float32Array[]): void;
  averages(): Float32Array[];
  step(
    features: Float32Array,
    targets: Float32Array,
    masks: Uint32Array,
    learningRate: number,
    step: number,
  ): NativeStep;
  gradients(
    features: Float32Array,
    targets: Float32Array,
    masks: Uint32Array,
  ): NativeStep & { gradients: Float32Array[] };
}

interface AddonOptions {
  readonly instructionSet: string;
  readonly threads: number;
  readonly classes: number;
  readonly dropout: number;
}

interface CnnOptions extends AddonOptions {
  readonly samples: number;
  /** Frames of earlier clips whose tokens are kept; 0: none. */
  readonly cachedFrames: number;
  /** The length of the frames that make up a clip. */
  readonly frameSamples: number;
}

interface TransformerOptions extends AddonOptions {
  readonly samples: number;
  readonly heads: number;
  readonly hidden: number;
}

/** AdamW's figures, and how slowly the running means of the weights move. */
export interface NativeOptimiser {
  readonly beta2: number;
  readonly weightDecay: number;
  readonly averageDecay: number;
}

interface StudentOptions extends NativeOptimiser {
  readonly instructionSet: string;
  readonly threads: number;
  /** Channels of the first convolutions, and of the last. */
  readonly width: number;
  readonly head: number;
  readonly outputs: number;
  /** How many of the first outputs learn features; the others learn tags. */
  readonly features: number;
}

/** An encoder with its front end: windows in, features and tag logits of each out. */
interface AddonAudioEncoder {
  /** The parameters of the network, in their order. */
  setWeights(tensors: readonly Float32Array[]): void;
  encode(windows: readonly Float32Array[]): Float32Array;
  /** The network alone, on pictures of windows as `kaldiMel` makes them, but [bands][frames]. */
  encodePictures(pictures: readonly Float32Array[]): Float32Array;
  /** The front end alone: pictures as `kaldiMel` makes them, one after the other. */
  pictures(windows: readonly Float32Array[]): Float32Array;
  dispose(): void;
}

/** A resampler without state: which outputs are wanted is said with every call. */
interface AddonResampler {
  /**
   * Outputs `first` … `first + count − 1` of a signal whose samples from the input's sample `start` on
   * are given; silence around them.
   */
  compute(signal: Float32Array, start: number, first: number, count: number): Float32Array;
}

interface ResamplerOptions {
  readonly instructionSet: string;
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  /** [up][taps] */
  readonly rows: Float32Array;
}

export interface KernelsAddon {
  /** Those that this machine runs, the fastest first: `avx512`, `avx2`, `baseline`. */
  instructionSets(): string[];
  /**
   * Gives the system back what was freed, on every thread; where its C library cannot, nothing happens.
   */
  releaseMemory(): void;
  /** Ends the process, whatever its threads do: exit handlers do not run, and nobody is waited for. */
  leaveProcess(code: number): void;
  createCnn(options: CnnOptions): AddonNetwork;
  createTransformer(options: TransformerOptions): AddonNetwork;
  /** The small encoder's network. */
  createSmallNet(options: StudentOptions): AddonStudent;
  createResampler(options: ResamplerOptions): AddonResampler;
  createAudioEncoder(options: {
    readonly instructionSet: string;
    readonly threads: number;
    readonly network: 'mobile-net' | 'small';
  }): AddonAudioEncoder;
}

const require_ = createRequire(__filename);
let loaded: KernelsAddon | undefined;

/** @throws AppError engine-unavailable when it does not load */
export function loadKernels(path: string): KernelsAddon {
  try {
    return (loaded = require_(path) as KernelsAddon);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('engine-unavailable', `The native kernels do not load: ${reason}`, { cause });
  }
}

/**
 * Ends the process although a thread hangs, which `process.exit` would wait for; returns where no addon
 * was loaded.
 */
export function leaveProcess(code: number): void {
  loaded?.leaveProcess(code);
}

/**
 * Gives the system back what threads that are gone had of this process's memory, where an addon was
 * loaded.
 */
export function releaseMemory(): void {
  loaded?.releaseMemory();
}
