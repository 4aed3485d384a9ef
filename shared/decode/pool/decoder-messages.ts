import type { ErrorCode } from '../../errors/app-error';
import type { Clip } from '../../signal/clip';
import type { DecodeOptions } from '../decode';

/** What the decoder pool and its threads say to each other. */

export interface DecodeMessage {
  readonly kind: 'decode';
  /** Greater than those before on this thread: the number under which it can be called off (shared/runtime/threads/thread.ts). */
  readonly piece: number;
  readonly bytes: Uint8Array;
  readonly sampleRate: number;
  readonly maxSeconds: number;
  readonly removeOffset: boolean | undefined;
  readonly memory: ArrayBuffer | undefined;
  readonly options: DecodeOptions;
}

/**
 * `cancel` ends a recording that waits for ffmpeg. Other decoders read between two frames, from shared
 * memory, that a recording was called off, and need no message.
 */
export type ToDecoderThread = DecodeMessage | { readonly kind: 'cancel' };

/** The thread's first message: it takes recordings from now on. */
export interface DecoderStarted {
  readonly kind: 'started';
  /** The operating system's number of the thread; undefined where it cannot be told. */
  readonly threadId: number | undefined;
}

/** The recording is decoded by a process of its own from now on. */
export interface DecoderChild {
  readonly kind: 'child';
  readonly pid: number;
}

/** The answer to a recording. */
export type DecoderReply =
  | { readonly kind: 'clip'; readonly clip: Clip }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
      /** What lay behind it, as text, for the log. */
      readonly cause: string | undefined;
      /** The recording that was called off, to be decoded another time. */
      readonly bytes?: Uint8Array;
    };

export type FromDecoderThread = DecoderStarted | DecoderChild | DecoderReply;
