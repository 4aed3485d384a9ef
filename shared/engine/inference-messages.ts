import type { Manifest } from '../contracts/manifest';
import type { EngineChoice } from './choose-engine';

/** What crosses the border of the inference thread. */
export interface InferenceStart {
  readonly choice: EngineChoice;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly warmUpBatches: readonly number[];
  readonly triedOut: boolean;
}

export interface InferenceRequest {
  readonly id: number;
  readonly windows: readonly Float32Array[];
}

export type InferenceReply =
  | { readonly ready: true; readonly engine: string }
  | { readonly id: number; readonly probabilities: readonly Float32Array[]; readonly inferenceMs: number }
  | { readonly id: number; readonly error: string };
