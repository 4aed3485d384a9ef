import type { Manifest } from '../../contracts/manifest';

/**
 * A loaded, warmed-up model on a thread of its own. Windows go in, probabilities come out; who calls
 * knows neither the engine nor the architecture.
 */
export interface Inference {
  readonly manifest: Manifest;
  /** Where it computes, for people: `cpu (libtensorflow 2.21.0, 2 threads)`. */
  readonly engine: string;
  /**
   * @param windows mono at the rate of the manifest's front ends, at most `windowSamples` long (shorter
   *   ones are padded with zeros at the end); they stay the caller's
   * @returns for each window its class probabilities in the order of `manifest.classes`, and the time on
   *   the engine
   * @throws AppError engine-unavailable when the thread died
   */
  infer(windows: readonly Float32Array[]): Promise<InferenceResult>;
  /** Settles when the thread is gone, with the reason, asked for or not. */
  readonly exited: Promise<string>;
  close(): Promise<void>;
}

export interface InferenceResult {
  readonly probabilities: readonly Float32Array[];
  /**
   * Of each window what else speaks for each class, where the model judges it
   * (shared/decision/rejection.ts).
   */
  readonly evidence?: readonly Float32Array[];
  /** The probability of each of AudioSet's tags in each window, where an encoder hears. */
  readonly tags?: readonly Float32Array[];
  readonly inferenceMs: number;
}
