import type { Manifest } from '../../contracts/manifest';
import type { EngineChoice } from '../provide/choose-engine';
import type { InferenceResult } from './inference';

/** What crosses the border of the inference thread. */
export interface InferenceStart {
  readonly choice: EngineChoice;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly warmUpBatches: readonly number[];
  readonly triedOut: boolean;
  /** Batches that are begun at a time. */
  readonly inFlight: number;
}

export interface InferenceRequest {
  readonly id: number;
  readonly windows: readonly Float32Array<ArrayBuffer>[];
}

export type InferenceReply =
  | { readonly ready: true; readonly engine: string }
  | {
      readonly id: number;
      readonly result: InferenceResult;
      /**
       * The request's windows, for what comes next: memory of this size costs as much to get as to fill.
       */
      readonly windows: readonly Float32Array<ArrayBuffer>[];
    }
  | { readonly id: number; readonly error: string };
