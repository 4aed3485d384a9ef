import type { ErrorCode } from '../../errors/app-error';
import type { Clip } from '../../signal/clip';
import type { DecodeOptions } from '../decode';

/** A request from the decoder pool to a thread. */

export interface DecodeMessage {
  readonly kind: 'decode';
  /**
   * Increasing per thread: the number with which the call can be cancelled
   * (shared/runtime/threads/thread.ts).
   */
  readonly callId: number;
  readonly bytes: Uint8Array;
  readonly sampleRate: number;
  readonly maxSeconds: number;
  readonly removeOffset: boolean | undefined;
  readonly memory: ArrayBuffer | undefined;
  readonly options: DecodeOptions;
}

/**
 * `cancel` ends a recording that waits for ffmpeg. Other decoders check for cancellation between two
 * frames in shared memory, and need no message.
 */
export type ToDecoderThread = DecodeMessage | { readonly kind: 'cancel' };

/** The first message of a thread: it is ready for recordings. */
interface DecoderStarted {
  readonly kind: 'started';
  /** The operating system's id of the thread; undefined where unknown. */
  readonly threadId: number | undefined;
}

/** The recording is now being decoded by a process of its own. */
interface DecoderChild {
  readonly kind: 'child';
  readonly pid: number;
}

/** The reply to a recording. */
export type DecoderReply =
  | { readonly kind: 'clip'; readonly clip: Clip }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
      /** The underlying error as text, for the log. */
      readonly cause: string | undefined;
      /** The bytes of a recording that was cancelled or is too long, so that it can be decoded again. */
      readonly bytes?: Uint8Array;
    };

export type FromDecoderThread = DecoderStarted | DecoderChild | DecoderReply;
