import { hasTextAt } from '../bytes/bytes';
import { formatError } from '../bytes/format-error';
import { findPage, oggCodec, parsePage, type OggCodec, type OggPage } from './ogg-pages';
import { ByteQueue } from './byte-queue';

/** The packets of the selected stream that end on one page. */
export interface OggPackets {
  readonly kind: 'packets';
  readonly packets: readonly Uint8Array[];
  /** The position that the page states; negative where it has none. */
  readonly granule: number;
  readonly isLast: boolean;
  /** Whether no page is missing before it. */
  readonly follows: boolean;
  /** Whether its stream began together with others (such as video) and shares their clock. */
  readonly isAccompanied: boolean;
  /** Byte offset of the page. */
  readonly byteOffset: number;
}

export type OggPiece =
  /** An audio stream begins, with its first packet. It replaces the previous one. */
  | {
      readonly kind: 'head';
      readonly codec: OggCodec;
      readonly head: Uint8Array;
      readonly byteOffset: number;
    }
  | OggPackets
  /** A page of a stream whose first page is missing. */
  | { readonly kind: 'headless'; readonly byteOffset: number }
  /** A damaged page was skipped. */
  | { readonly kind: 'damaged'; readonly byteOffset: number };

export interface OggDemuxer {
  /**
   * Takes bytes in chunks of any size. The result must be consumed before the next call.
   * @throws AppError undecodable-audio
   */
  push(bytes: Uint8Array): Generator<OggPiece>;
  /** Ends the input and yields what was held back. */
  finish(): Generator<OggPiece>;
}

/** Longer packets are headers with pictures; they are dropped. */
const maxPacketBytes = 131_072;
/** Number of other streams whose serial numbers are kept; a film has a few. */
const maxOtherStreams = 64;
/**
 * Limit of the bytes in damaged pages relative to the input. Without it `OggS` every few bytes would
 * cause unlimited work.
 */
const maxOverlap = 16;

interface SelectedStream {
  readonly serial: number;
  sequence: number;
  checksum: number;
  /** Parts of a packet that continues on the next page; undefined when none does. */
  partial: Uint8Array[] | undefined;
  partialBytes: number;
  ended: boolean;
}

/**
 * Splits Ogg pages into the packets of their audio, for uploads and streams alike. Of streams that begin
 * together, the first audio stream is selected, and later the one chained after it. It tolerates what
 * real writers produce: streams joined later; missing, damaged, repeated or unnumbered pages; a
 * first-page flag on any page; and bytes between pages.
 * @param maxJunkBytes maximum number of bytes in a row without a page
 */
export function createOggDemuxer(maxJunkBytes: number): OggDemuxer {
  const queue = new ByteQueue();
  let selected: SelectedStream | undefined;
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
    if (others.size < maxOtherStreams) others.add(serial);
    // A skeleton stream describes the others and has no clock.
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
    selected = { serial, sequence, checksum, partial: undefined, partialBytes: 0, ended: false };
    const [head, ...packets] = packetsOf(selected, page, true);
    yield { kind: 'head', codec, head: head ?? page.payload.slice(), byteOffset };
    // Some writers put all packets on one page.
    const { granule, isLast } = page;
    if (packets.length > 0)
      yield { kind: 'packets', packets, granule, isLast, follows: true, isAccompanied, byteOffset };
  }

  function* continueStream(stream: SelectedStream, page: OggPage, byteOffset: number): Generator<OggPiece> {
    const { sequence, checksum, granule, isLast } = page;
    // The page was sent twice, for example after a reconnect.
    if (sequence > 0 && sequence === stream.sequence && checksum !== 0 && checksum === stream.checksum)
      return;
    // Some writers put the same number on all pages.
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
    if (page.serial === selected?.serial) {
      isGroupBeginning = false;
      yield* continueStream(selected, page, byteOffset);
      return;
    }
    if (page.isFirst) {
      beginGroup();
      remember(page);
      return;
    }
    isGroupBeginning = false;
    if (!others.has(page.serial) && selected?.ended !== false) yield { kind: 'headless', byteOffset };
  }

  function* readAll(isEnd: boolean): Generator<OggPiece> {
    for (;;) {
      const view = queue.view();
      const at = findPage(view, 0);
      // The page marker may be split between two chunks.
      queue.skip(at < 0 ? Math.max(0, view.length - (isEnd ? 0 : 3)) : at);
      if (queue.offset - pageEnd > maxJunkBytes)
        throw formatError('Ogg', pageEnd, 'no page was found in all that follows');
      if (at < 0) return;
      const page = parsePage(queue.view(), 0);
      if (page === 'incomplete' && !isEnd) return;
      if (page === 'incomplete' || page === 'damaged') {
        yield* skipPage(page === 'damaged');
        continue;
      }
      const byteOffset = queue.offset;
      queue.skip(page.byteLength);
      pageEnd = queue.offset;
      yield* read(page, byteOffset);
    }
  }

  /**
   * Skips a damaged page. The next page is searched within it, because its length may be what is
   * damaged.
   */
  function* skipPage(isDamaged: boolean): Generator<OggPiece> {
    overlap += isDamaged ? claimedBytes(queue.view()) : 0;
    if (overlap > maxOverlap * queue.offset + 2 ** 20)
      throw formatError('Ogg', queue.offset, 'its pages do not match their checksums');
    // An incomplete last page is normal where the sender was stopped.
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

/** Returns the packets that end on a page, each in new memory. */
function packetsOf(stream: SelectedStream, page: OggPage, follows: boolean): Uint8Array[] {
  const packets: Uint8Array[] = [];
  const take = (): void => {
    // Too long packets and packets without their beginning are dropped. An empty packet has no audio.
    if (stream.partial !== undefined && stream.partialBytes > 0 && stream.partialBytes <= maxPacketBytes)
      packets.push(Buffer.concat(stream.partial, stream.partialBytes));
    stream.partial = [];
    stream.partialBytes = 0;
  };
  if (!follows) [stream.partial, stream.partialBytes] = [undefined, 0];
  // A packet that was not marked as complete ends when the next page begins a new one.
  if (!page.isContinued) take();
  let at = 0;
  for (const length of page.lacing) {
    stream.partialBytes += length;
    if (stream.partialBytes <= maxPacketBytes) stream.partial?.push(page.payload.subarray(at, at + length));
    at += length;
    if (length < 255) take();
  }
  // The part that continues on the next page must outlive the memory of this one.
  const isIncomplete = page.lacing.at(-1) === 255;
  stream.partial = isIncomplete ? stream.partial?.map((piece) => piece.slice()) : undefined;
  if (!isIncomplete) stream.partialBytes = 0;
  return packets;
}
