/** An element of a container with Opus, in stream order. */
export type OpusPiece =
  /** A stream begins, with its OpusHead. A container may hold several in a row. */
  | { readonly kind: 'head'; readonly head: Uint8Array }
  /** A packet; the last `discardSamples` of it, at 48 kHz, are not played. */
  | { readonly kind: 'packet'; readonly packet: Uint8Array; readonly discardSamples: number }
  /** Missing audio of this length, in samples at 48 kHz, to be replaced by silence. */
  | { readonly kind: 'gap'; readonly samples: number }
  | { readonly kind: 'end' };

/** Takes the bytes of a container in chunks. The arrays that it yields belong to the caller. */
export interface OpusDemuxer {
  /**
   * The result must be consumed before the next call.
   * @throws AppError undecodable-audio, unsupported-media
   */
  push(bytes: Uint8Array): Iterable<OpusPiece>;
  /** Ends the input and yields what was held back. */
  finish(): Iterable<OpusPiece>;
}
