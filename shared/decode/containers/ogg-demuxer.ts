import { hasTextAt } from '../bytes/bytes';
import { damaged } from '../bytes/damaged';
import { findPage, oggCodec, parsePage, type OggCodec, type OggPage } from './ogg-pages';
import { ByteQueue } from './byte-queue';

/** The packets that end on a page of the stream that is heard. */
export interface OggPackets {
  readonly kind: 'packets';
  readonly packets: readonly Uint8Array[];
  /** The position that the page states; negative where it has none. */
  readonly granule: number;
  readonly isLast: boolean;
  /** Whether no page is missing in front of it. */
  readonly follows: boolean;
  /** Whether its stream began together with others, a picture's for example, and shares their clock. */
  readonly isAccompanied: boolean;
  /** Where the page stands. */
  readonly byteOffset: number;
}

export type OggPiece =
  /** A stream with sound begins: its first packet. It replaces the one before. */
  | {
      readonly kind: 'head';
      readonly codec: OggCodec;
      readonly head: Uint8Array;
      readonly byteOffset: number;
    }
  | OggPackets
  /** A page of a stream whose first page never came. */
  | { readonly kind: 'headless'; readonly byteOffset: number }
  /** A damaged page was passed over. */
  | { readonly kind: 'damaged'; readonly byteOffset: number };

export interface OggDemuxer {
  /** The bytes may be cut anywhere. Read to its end before the next call. @throws AppError undecodable-audio */
  push(bytes: Uint8Array): Generator<OggPiece>;
  /** What was held back; nothing more comes. */
  finish(): Generator<OggPiece>;
}

/** Longer packets are headers with pictures, which nobody needs: they are left out. */
const maxPacketBytes = 131_072;
/** Streams beside the one that is heard whose numbers are kept: a film has a few. */
const maxOthers = 64;
/** Damaged pages may be this much larger, all together, than what holds them: `OggS` every few bytes would cost without end. */
const maxOverlap = 16;

interface HeardStream {
  readonly serial: number;
  sequence: number;
  checksum: number;
  /** Pieces of a packet that goes on with the next page; undefined when none does. */
  partial: Uint8Array[] | undefined;
  partialBytes: number;
  ended: boolean;
}

/**
 * Ogg pages, sent whole or in pieces, as the packets of their sound: the one way in for uploads and streams. Of streams that begin
 * together the first with sound is heard, and then what is chained behind it. Taken as real writers leave it: a stream joined in its
 * middle, pages that are missing, damaged, doubled or all numbered alike, a first-page flag on any page, bytes between pages.
 * @param maxJunkBytes a run of bytes without a page that is longer than this is refused
 */
export function createOggDemuxer(maxJunkBytes: number): OggDemuxer {
  const queue = new ByteQueue();
  let heard: HeardStream | undefined;
  const others = new Set<number>();
  let isGroupBeginning = false;
  let hasGroupSound = false;
  let isAccompanied = false;
  let pageEnd = 0;
  let overlap = 0;

  function beginGroup(): void {
    if (!isGroupBeginning) [hasGroupSound, isAccompanied] = [false, false];
    isGroupBeginning = true;
  }

  function remember({ serial, payload }: OggPage): void {
    if (others.size < maxOthers) others.add(serial);
    // A skeleton describes the other streams and has no clock.
    isAccompanied ||= !hasTextAt(payload, 0, 'fishead');
  }

  function* begin(page: OggPage, codec: OggCodec, byteOffset: number): Generator<OggPiece> {
    beginGroup();
    if (hasGroupSound) {
      remember(page);
      return;
    }
    hasGroupSound = true;
    const { serial, sequence, checksum } = page;
    heard = { serial, sequence, checksum, partial: undefined, partialBytes: 0, ended: false };
    const [head, ...packets] = packetsOf(heard, page, true);
    yield { kind: 'head', codec, head: head ?? page.payload.slice(), byteOffset };
    // Some writers put everything on one page.
    const { granule, isLast } = page;
    if (packets.length > 0)
      yield { kind: 'packets', packets, granule, isLast, follows: true, isAccompanied, byteOffset };
  }

  function* goOn(stream: HeardStream, page: OggPage, byteOffset: number): Generator<OggPiece> {
    const { sequence, checksum, granule, isLast } = page;
    // Sent twice, as after a reconnect.
    if (sequence > 0 && sequence === stream.sequence && checksum !== 0 && checksum === stream.checksum)
      return;
    // Writers that do not number their pages leave the same number on all.
    const follows = sequence === stream.sequence + 1 || sequence === stream.sequence;
    stream.sequence = sequence;
    stream.checksum = checksum;
    stream.ended = isLast;
    const packets = packetsOf(stream, page, follows);
    yield { kind: 'packets', packets, granule, isLast, follows, isAccompanied, byteOffset };
  }

  function* read(page: OggPage, byteOffset: number): Generator<OggPiece> {
    const codec = page.isContinued ? undefined : oggCodec(page.payload);
    if (codec !== undefined) {
      yield* begin(page, codec, byteOffset);
      return;
    }
    if (page.serial === heard?.serial) {
      isGroupBeginning = false;
      yield* goOn(heard, page, byteOffset);
      return;
    }
    if (page.isFirst) {
      beginGroup();
      remember(page);
      return;
    }
    isGroupBeginning = false;
    if (!others.has(page.serial) && heard?.ended !== false) yield { kind: 'headless', byteOffset };
  }

  function* readAll(isEnd: boolean): Generator<OggPiece> {
    for (;;) {
      const view = queue.view();
      const at = findPage(view, 0);
      // The bytes of a marker may be cut between two pieces.
      queue.skip(at < 0 ? Math.max(0, view.length - (isEnd ? 0 : 3)) : at);
      if (queue.offset - pageEnd > maxJunkBytes)
        throw damaged('Ogg', pageEnd, 'no page was found in all that follows');
      if (at < 0) return;
      const page = parsePage(queue.view(), 0);
      if (page === 'incomplete' && !isEnd) return;
      if (page === 'incomplete' || page === 'damaged') {
        yield* passOver(page === 'damaged');
        continue;
      }
      const byteOffset = queue.offset;
      queue.skip(page.byteLength);
      pageEnd = queue.offset;
      yield* read(page, byteOffset);
    }
  }

  /** What follows a damaged page is looked for within it: its own length may be what is damaged. */
  function* passOver(isDamaged: boolean): Generator<OggPiece> {
    overlap += isDamaged ? claimedBytes(queue.view()) : 0;
    if (overlap > maxOverlap * queue.offset + 2 ** 20)
      throw damaged('Ogg', queue.offset, 'its pages do not match their checksums');
    // A last page that is cut off is how a recording ends whose sender was stopped.
    if (isDamaged) yield { kind: 'damaged', byteOffset: queue.offset };
    queue.skip(4);
  }

  return {
    *push(bytes) {
      queue.push(bytes);
      yield* readAll(false);
    },
    *finish() {
      yield* readAll(true);
    },
  };
}

function claimedBytes(page: Uint8Array): number {
  const segments = page[26] ?? 0;
  return 27 + segments + page.subarray(27, 27 + segments).reduce((sum, length) => sum + length, 0);
}

/** The packets that end on a page, each in memory of its own. */
function packetsOf(stream: HeardStream, page: OggPage, follows: boolean): Uint8Array[] {
  const packets: Uint8Array[] = [];
  const take = (): void => {
    // What is too long, and what has lost its beginning, is left out. A packet without bytes has no sound.
    if (stream.partial !== undefined && stream.partialBytes > 0 && stream.partialBytes <= maxPacketBytes)
      packets.push(Buffer.concat(stream.partial, stream.partialBytes));
    stream.partial = [];
    stream.partialBytes = 0;
  };
  if (!follows) [stream.partial, stream.partialBytes] = [undefined, 0];
  // A writer that forgets the mark of a packet's end has ended it all the same when the next page begins one.
  if (!page.isContinued) take();
  let at = 0;
  for (const length of page.lacing) {
    stream.partialBytes += length;
    if (stream.partialBytes <= maxPacketBytes) stream.partial?.push(page.payload.subarray(at, at + length));
    at += length;
    if (length < 255) take();
  }
  // What goes on with the next page must outlive this one's memory.
  const goesOn = page.lacing.at(-1) === 255;
  stream.partial = goesOn ? stream.partial?.map((piece) => piece.slice()) : undefined;
  if (!goesOn) stream.partialBytes = 0;
  return packets;
}
