/** A piece of mono audio of at most about half a second. */
export interface Piece {
  readonly sampleRate: number;
  readonly samples: Float32Array;
}

/**
 * Decodes a stream's bytes, in chunks of any size, into mono audio at the sender's rate. It yields small
 * pieces, so that a small message with hours of audio does not block other streams.
 */
export interface StreamDecoder {
  /**
   * The result must be consumed before the next call.
   * @throws AppError undecodable-audio, unsupported-media, non-finite-audio
   */
  push(bytes: Uint8Array): AsyncGenerator<Piece, void, undefined>;
  /** Ends the input and yields what was held back. */
  finish(): AsyncGenerator<Piece, void, undefined>;
  /** Frees memory outside the JavaScript heap. Call it once, when no other call is in progress. */
  close(): void;
}
