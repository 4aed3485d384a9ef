import type { Manifest } from '../contracts/manifest';
import type { EngineChoice } from './choose-engine';
import type { InferenceResult } from './inference';

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
  | { readonly id: number; readonly result: InferenceResult }
  | { readonly id: number; readonly error: string };
