import type { ErrorCode } from '../errors/app-error';
import type { Clip } from './clip';
import type { DecodeOptions } from './decode';

/** What the decoder pool and its threads say to each other. */

export interface DecodeMessage {
  readonly kind: 'decode';
  /** Greater than those before on this thread: the number under which it can be called off (shared/threads/thread.ts). */
  readonly piece: number;
  readonly bytes: Uint8Array;
  readonly sampleRate: number;
  readonly maxSeconds: number;
  readonly memory: ArrayBuffer | undefined;
  readonly options: DecodeOptions;
}

/** `cancel`: for what waits for ffmpeg; between two frames the thread sees for itself that a recording was called off. */
export type ToDecoderThread = DecodeMessage | { readonly kind: 'cancel' };

export type FromDecoderThread =
  | { readonly kind: 'clip'; readonly clip: Clip }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
      /** What lay behind it, as text, for the log. */
      readonly cause: string | undefined;
    };
