/** What a container with Opus gives, in order. */
export type OpusPiece =
  /** A stream begins: OpusHead. A container may hold one after another. */
  | { readonly kind: 'head'; readonly head: Uint8Array }
  /** `discardSamples` at its end, at 48 kHz, are not to be played. */
  | { readonly kind: 'packet'; readonly packet: Uint8Array; readonly discardSamples: number }
  /** Sound that is missing here, in samples at 48 kHz: silence keeps its place. */
  | { readonly kind: 'hole'; readonly samples: number }
  | { readonly kind: 'end' };

/** Takes a container's bytes as they come. Arrays given out are the taker's. */
export interface OpusDemuxer {
  /** Read to its end before the next call. @throws AppError undecodable-audio, unsupported-media */
  push(bytes: Uint8Array): Iterable<OpusPiece>;
  /** What was held back; nothing more comes. */
  finish(): Iterable<OpusPiece>;
}
