/** A piece of mono sound, at most about half a second. */
export interface Piece {
  readonly sampleRate: number;
  readonly samples: Float32Array;
}

/**
 * Turns a stream's bytes, cut anywhere, into mono sound at the sender's rate, in small pieces: between two of them the caller
 * may wait, so that a small message that holds hours of sound stops nobody else.
 */
export interface StreamDecoder {
  /** Read to its end before the next call. @throws AppError undecodable-audio, unsupported-media, non-finite-audio */
  push(bytes: Uint8Array): AsyncGenerator<Piece, void, undefined>;
  /** What was held back; nothing more comes. */
  finish(): AsyncGenerator<Piece, void, undefined>;
  /** Frees what it holds outside the heap. Once; nothing may be under way. */
  close(): void;
}
