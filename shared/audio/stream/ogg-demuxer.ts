import { hasTextAt } from '../bytes';
import { damaged } from '../damaged';
import { AppError } from '../../errors/app-error';
import { oggCodec, parsePage, type ParsedPage } from '../ogg-pages';
import { ByteQueue } from './byte-queue';
import { opusPacketSamples } from './opus-packet';
import type { OpusDemuxer, OpusPiece } from './opus-demuxer';

/** An Opus packet has at most 48 frames of 1275 bytes a stream; what is longer can only be a header with pictures. */
const maxPacketBytes = 65_536;

/** Opus out of Ogg pages that come in pieces. Other streams beside it are left out; a new one may follow on its end. */
export function createOggDemuxer(): OpusDemuxer {
  const queue = new ByteQueue();
  let serial: number | undefined;
  let sequence = 0;
  /** Samples at 48 kHz in the packets so far. */
  let position = 0;
  /** Packets of the current stream so far; the second is its tags. */
  let packets = 0;
  let pieces: Uint8Array[] = [];
  let pieceBytes = 0;

  function* begin(page: ParsedPage): Generator<OpusPiece> {
    if (oggCodec(page.payload) !== 'opus') {
      if (serial === undefined && oggCodec(page.payload) !== undefined) {
        throw new AppError(
          'unsupported-media',
          'Ogg streams are taken with Opus only; this one has another codec.',
        );
      }
      return;
    }
    if (serial !== undefined) yield { kind: 'end' };
    serial = page.serial;
    sequence = page.sequence;
    packets = 1;
    pieces = [];
    pieceBytes = 0;
    position = 0;
    yield { kind: 'head', head: page.payload.slice() };
  }

  /** The packets that end on a page, put together from their segments. */
  function packetsOf(page: ParsedPage): Uint8Array[] {
    const complete: Uint8Array[] = [];
    let at = 0;
    for (const length of page.lacing) {
      pieceBytes += length;
      if (pieceBytes <= maxPacketBytes) pieces.push(page.payload.slice(at, at + length));
      at += length;
      if (length === 255) continue;
      packets += 1;
      if (packets > 2) {
        if (pieceBytes > maxPacketBytes)
          throw damaged('Ogg', page.byteOffset, 'a packet is too long for Opus');
        complete.push(join(pieces, pieceBytes));
      }
      pieces = [];
      pieceBytes = 0;
    }
    return complete;
  }

  function* continueStream(page: ParsedPage): Generator<OpusPiece> {
    if (page.sequence !== sequence + 1)
      throw damaged('Ogg', page.byteOffset, 'a page before this one is missing');
    sequence = page.sequence;
    const complete = packetsOf(page);
    const lengths = complete.map((packet) => opusPacketSamples(packet) ?? 0);
    position += lengths.reduce((sum, samples) => sum + samples, 0);
    // The last page says where the sound ends: what its packets hold beyond is the encoder's padding (RFC 7845, section 4.4).
    let surplus = page.isLast && page.granule >= 0 ? Math.max(0, position - page.granule) : 0;
    const discards = lengths.toReversed().map((samples) => {
      const discarded = Math.min(samples, surplus);
      surplus -= discarded;
      return discarded;
    });
    discards.reverse();
    for (const [index, packet] of complete.entries()) {
      yield { kind: 'packet', packet, discardSamples: discards[index]! };
    }
    if (!page.isLast) return;
    serial = undefined;
    yield { kind: 'end' };
  }

  return {
    *push(bytes) {
      queue.push(bytes);
      for (;;) {
        const view = queue.view();
        if (view.length >= 4 && !hasTextAt(view, 0, 'OggS')) {
          throw damaged('Ogg', queue.offset, 'a page was expected here');
        }
        const parsed = view.length < 27 ? undefined : parsePage(view, 0);
        if (parsed === undefined) return;
        const page = { ...parsed, byteOffset: queue.offset };
        queue.skip(page.bytes.length);
        if (page.isFirst) yield* begin(page);
        else if (page.serial === serial) yield* continueStream(page);
      }
    },
    finish: () => [],
  };
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
