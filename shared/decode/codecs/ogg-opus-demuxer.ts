import { formatError } from '../bytes/format-error';
import { AppError } from '../../errors/app-error';
import { createOggDemuxer, type OggPackets, type OggPiece } from '../containers/ogg-demuxer';
import { createOggOpusReader } from './ogg-opus';
import type { OpusDemuxer, OpusPiece } from '../opus/opus-demuxer';
import { parseOpusHead } from '../opus/opus-head';

/**
 * Many times the size of the largest page. A stream that stops being Ogg fails after this many bytes.
 */
const maxJunkBytes = 2 ** 20;

/**
 * Extracts Opus packets from Ogg pages that arrive in chunks. Other streams are dropped; a new Opus
 * stream may follow the end of one.
 */
export function createOggOpusDemuxer(): OpusDemuxer {
  const demuxer = createOggDemuxer(maxJunkBytes);
  let read: ((page: OggPackets) => Generator<OpusPiece>) | undefined;

  function* toOpus(pieces: Iterable<OggPiece>): Generator<OpusPiece> {
    for (const piece of pieces) {
      if (piece.kind === 'headless') {
        const missing =
          'the first page of the stream, with its codec’s header, is missing; send it from its start';
        throw formatError('Ogg', piece.byteOffset, missing);
      }
      if (piece.kind === 'packets') yield* read?.(piece) ?? [];
      if (piece.kind !== 'head') continue;
      if (piece.codec !== 'opus') {
        throw new AppError(
          'unsupported-media',
          `Ogg streams are taken with Opus only; this one has ${piece.codec}.`,
        );
      }
      if (read !== undefined) yield { kind: 'end' };
      read = createOggOpusReader(parseOpusHead(piece.head).streamCount);
      yield { kind: 'head', head: piece.head };
    }
  }

  return {
    push: (bytes) => toOpus(demuxer.push(bytes)),
    finish: () => toOpus(demuxer.finish()),
  };
}
