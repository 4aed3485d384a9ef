import type { ErrorCode } from '../errors/app-error';
import type { Clip } from './clip';
import type { DecodeOptions } from './decode';

/** What the decoder pool and its threads say to each other. */

export interface DecodeMessage {
  readonly kind: 'decode';
  readonly bytes: Uint8Array;
  readonly sampleRate: number;
  readonly maxSeconds: number;
  readonly memory: ArrayBuffer | undefined;
  readonly options: DecodeOptions;
}

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
