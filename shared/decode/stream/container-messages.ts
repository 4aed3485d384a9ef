import type { ErrorCode } from '../../errors/app-error';
import type { Piece } from './stream-decoder';

/** What the thread that decodes containers is asked, each about one stream; it answers one message to every step. */
export type ToContainerThread =
  /** The first of a stream opens it. */
  | { readonly step: 'push'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly step: 'finish'; readonly stream: number }
  /** The next piece of what was pushed. */
  | { readonly step: 'next'; readonly stream: number }
  /** Not answered. */
  | { readonly step: 'close'; readonly stream: number };

export type FromContainerThread =
  /** No piece: what was pushed is used up. */
  { readonly stream: number; readonly piece: Piece | undefined } | ContainerFailure;

export interface ContainerFailure {
  readonly stream: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** What lay behind it, as text, for the log. */
  readonly cause: string | undefined;
}
