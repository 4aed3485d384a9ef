import type { ErrorCode } from '../../errors/app-error';
import type { Piece } from './stream-decoder';

/**
 * Requests to the thread that decodes containers, each about one stream. It answers every request with
 * one message, except `close`.
 */
export type ToContainerThread =
  /** The first push of a stream opens it. */
  | { readonly step: 'push'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly step: 'finish'; readonly stream: number }
  /** Asks for the next piece of what was pushed. */
  | { readonly step: 'next'; readonly stream: number }
  /** Has no reply. */
  | { readonly step: 'close'; readonly stream: number };

export type FromContainerThread =
  /** `piece` is undefined when all pushed bytes are used up. */
  { readonly stream: number; readonly piece: Piece | undefined } | ContainerFailure;

export interface ContainerFailure {
  readonly stream: number;
  readonly code: ErrorCode;
  readonly message: string;
  /** The underlying error as text, for the log. */
  readonly cause: string | undefined;
}
