import { AppError } from '../../errors/app-error';
import { hasTextAt } from '../bytes/bytes';
import { formatError } from '../bytes/format-error';
import { maxLeadSeconds, TrackClock } from './track-clock';
import { ByteQueue } from './byte-queue';
import { ids, parseElementHead, readSigned, readUnsigned, type ElementHead } from './ebml';
import type { OpusDemuxer, OpusPiece } from '../opus/opus-demuxer';
import { opusPacketSamples } from '../opus/opus-packet';
import { framesOfBlock, maxBlockHeadBytes, parseBlockHead, type BlockHead } from './webm-blocks';
import { chooseOpusTrack, parseTrackEntry, type OpusTrack, type WebmTrack } from './webm-tracks';

/**
 * Elements that only contain others. Their children are processed as a flat sequence, without a stack.
 */
const containers: ReadonlySet<number> = new Set([
  ids.segment,
  ids.info,
  ids.tracks,
  ids.cluster,
  ids.blockGroup,
]);

const blocks: ReadonlySet<number> = new Set([ids.simpleBlock, ids.block]);

/** Small elements that are read as a whole, with the maximum size of each. */
const readWhole: ReadonlyMap<number, number> = new Map([
  [ids.ebml, 4096],
  [ids.timestampScale, 8],
  [ids.trackEntry, 262_144],
  [ids.timestamp, 8],
  [ids.discardPadding, 8],
]);
/** Limit for blocks of the selected track; blocks of other tracks are skipped at any size. */
const maxBlockBytes = 131_072;
const maxTracks = 128;
/**
 * Maximum number of bytes in blocks before the list of tracks: a minute of audio, or a moment of video.
 */
const maxHeadlessBytes = 2 ** 20;

const opusRate = 48_000;
const defaultTickSeconds = 0.001;
/**
 * Maximum total of the gaps: this many seconds plus this many times the audio (a sender may pause while
 * it is quiet).
 */
const maxGapsSeconds = 3600;
const gapsPerSound = 30;

/** Returns the error for WebM, in an upload or a stream, that starts after its header. */
export function headMissing(): AppError {
  return new AppError(
    'undecodable-audio',
    'The WebM recording’s beginning, which lists its tracks, is missing: send what the recorder gives from its first blob on.',
  );
}

/** Tells whether a stream begins with the WebM header, or with what follows it. */
export function isWebm(bytes: Uint8Array): boolean {
  return hasTextAt(bytes, 0, '\x1a\x45\xdf\xa3') || isWebmRest(bytes);
}

/** Tells whether bytes begin like the later blobs of a recorder: with a cluster, or with blocks. */
export function isWebmRest(bytes: Uint8Array): boolean {
  if (hasTextAt(bytes, 0, '\x1f\x43\xb6\x75')) return true;
  const head = parseElementHead(bytes);
  if (head === undefined || head === 'malformed' || !blocks.has(head.id)) return false;
  const end = head.headBytes + (head.size ?? Infinity);
  if (end >= bytes.length) return end <= maxBlockBytes;
  const next = parseElementHead(bytes.subarray(end));
  return next === undefined || (next !== 'malformed' && (blocks.has(next.id) || next.id === ids.cluster));
}

const headMarker = Buffer.from('1a45dfa3', 'hex');

/** State of the file that is being read. A recorder that restarts sends another file after it. */
interface File {
  readonly tracks: WebmTrack[];
  track: OpusTrack | undefined;
  tickSeconds: number;
  clusterTicks: number;
  /** The container's time at the start; undefined before the first block. */
  startSeconds: number | undefined;
  readonly clock: TrackClock;
}

const newFile = (): File => ({
  tracks: [],
  track: undefined,
  tickSeconds: defaultTickSeconds,
  clusterTicks: 0,
  startSeconds: undefined,
  clock: new TrackClock(opusRate),
});

/**
 * Extracts Opus from WebM or Matroska that arrives in chunks, as recorders send it: elements of unknown
 * size, blocks with or without lacing, other tracks in between. Other elements are skipped in constant
 * memory. Audio that is missing according to the block timestamps becomes a gap.
 */
export function createWebmDemuxer(): OpusDemuxer {
  const queue = new ByteQueue();
  let file = newFile();
  /**
   * Whether the header of a file has arrived. Bytes before it belong to another file, cut at any
   * position.
   */
  let hasHead = false;
  /** Remaining bytes of the element that is being skipped. */
  let toSkip = 0;
  /** The last packet of a block. Its block group may still state how much of it is not played. */
  let held: Uint8Array | undefined;
  /** Discard padding that a block group stated before its block. */
  let discardSamples = 0;
  /** Bytes in blocks before any list of tracks. */
  let headlessBytes = 0;
  /** Samples of all files at 48 kHz. */
  let gaps = 0;
  let sound = 0;

  function fail(why: string): never {
    throw formatError('WebM', queue.offset, why);
  }

  function nextHead(): ElementHead | undefined {
    const head = parseElementHead(queue.view());
    return head === 'malformed' ? fail('an element was expected here') : head;
  }

  function* release(discardSamples: number): Generator<OpusPiece> {
    if (held !== undefined) yield { kind: 'packet', packet: held, discardSamples };
    held = undefined;
  }

  function* enter(id: number): Generator<OpusPiece> {
    discardSamples = 0;
    yield* release(0);
    if (id !== ids.cluster || file.track !== undefined || file.tracks.length === 0) return;
    file.track = chooseOpusTrack(file.tracks);
    yield { kind: 'head', head: file.track.head };
  }

  /** Returns the time of a block, in seconds from the start of its file. */
  function timeOf({ relativeTicks }: BlockHead): number {
    const seconds = (file.clusterTicks + relativeTicks) * file.tickSeconds;
    file.startSeconds ??= seconds > maxLeadSeconds ? seconds : 0;
    return seconds - file.startSeconds;
  }

  function* insertGap(atSeconds: number): Generator<OpusPiece> {
    const samples = file.clock.gapBefore(atSeconds);
    if (samples === 0) return;
    yield* release(0);
    gaps += samples;
    if (gaps > maxGapsSeconds * opusRate + gapsPerSound * sound) {
      throw new AppError(
        'undecodable-audio',
        `The WebM stream’s clock jumps by ${Math.round(samples / opusRate)} s: ` +
          `pauses of up to ${maxGapsSeconds} s in all are taken. Start a new stream instead.`,
      );
    }
    file.clock.advance(samples);
    yield { kind: 'gap', samples };
  }

  function* readBlock(block: Uint8Array, head: BlockHead, track: OpusTrack): Generator<OpusPiece> {
    const frames = framesOfBlock(block, head) ?? fail('a block’s lacing does not add up');
    const atSeconds = timeOf(head);
    // An empty frame has no audio; the timestamp of the next block accounts for it.
    const packets = frames.filter(({ length }) => length > 0);
    if (packets.length > 0) yield* insertGap(atSeconds);
    for (const packet of packets) {
      yield* release(0);
      held = packet;
      const samples = opusPacketSamples(packet, track.streamCount) ?? 0;
      file.clock.advance(samples);
      sound += samples;
    }
    if (discardSamples > 0) yield* release(discardSamples);
  }

  function* readElement(id: number, body: Uint8Array): Generator<OpusPiece> {
    switch (id) {
      case ids.ebml:
        // A recorder that restarts sends a complete new file after the old one.
        if (file.track !== undefined) yield { kind: 'end' };
        headlessBytes = 0;
        file = newFile();
        return;
      case ids.timestampScale:
        file.tickSeconds = readUnsigned(body) / 1e9 || defaultTickSeconds;
        return;
      case ids.trackEntry: {
        const track = parseTrackEntry(body);
        if (track !== undefined && file.tracks.length < maxTracks) file.tracks.push(track);
        return;
      }
      case ids.timestamp:
        file.clusterTicks = readUnsigned(body);
        return;
      default:
        discardSamples = Math.round((Math.max(0, readSigned(body)) * opusRate) / 1e9);
        if (held !== undefined) yield* release(discardSamples);
    }
  }

  /**
   * Searches for a file header in the bytes before it.
   * @returns whether one was found
   */
  function findHead(): boolean {
    const view = queue.view();
    const at = Buffer.from(view.buffer, view.byteOffset, view.length).indexOf(headMarker);
    // The marker may be split between two chunks.
    headlessBytes += queue.skip(at >= 0 ? at : Math.max(0, view.length - (headMarker.length - 1)));
    if (headlessBytes > maxHeadlessBytes) throw headMissing();
    hasHead = at >= 0;
    return hasHead;
  }

  function skipElement({ headBytes, size }: ElementHead): void {
    queue.skip(headBytes);
    toSkip = size ?? 0;
  }

  /** Skips a block that precedes the list of tracks; a recorder that restarts may still send one. */
  function skipWithoutTracks(element: ElementHead): void {
    headlessBytes += element.size ?? 0;
    if (headlessBytes > maxHeadlessBytes) throw headMissing();
    skipElement(element);
  }

  /**
   * Removes an element from the queue.
   * @returns its content; undefined where it is incomplete
   */
  function take({ headBytes, size = 0 }: ElementHead): Uint8Array | undefined {
    if (queue.length < headBytes + size) return undefined;
    const body = queue.view().slice(headBytes, headBytes + size);
    queue.skip(headBytes + size);
    return body;
  }

  /** @returns whether the block was processed; false: more bytes are needed */
  function* nextBlock(element: ElementHead): Generator<OpusPiece, boolean> {
    const { headBytes, size = 0 } = element;
    const peeked = Math.min(size, maxBlockHeadBytes);
    if (queue.length < headBytes + peeked) return false;
    if (file.track === undefined) {
      skipWithoutTracks(element);
      return true;
    }
    const head = parseBlockHead(queue.view().subarray(headBytes, headBytes + peeked));
    if (head?.track !== file.track.number) {
      if (head !== undefined) timeOf(head);
      skipElement(element);
      return true;
    }
    if (size > maxBlockBytes) fail(`a block of ${size} bytes is too large, ${maxBlockBytes} are taken`);
    const block = take(element);
    if (block === undefined) return false;
    if (element.id === ids.simpleBlock) discardSamples = 0;
    yield* readBlock(block, head, file.track);
    return true;
  }

  /** @returns whether the element was processed; false: more bytes are needed */
  function* next(element: ElementHead): Generator<OpusPiece, boolean> {
    const { id, size, headBytes } = element;
    if (containers.has(id) || size === undefined) {
      queue.skip(headBytes);
      yield* enter(id);
      return true;
    }
    if (blocks.has(id)) return yield* nextBlock(element);
    const limit = readWhole.get(id);
    if (limit === undefined || size > limit) {
      skipElement(element);
      return true;
    }
    const body = take(element);
    if (body === undefined) return false;
    if (id !== ids.discardPadding) yield* release(0);
    yield* readElement(id, body);
    return true;
  }

  return {
    *push(bytes) {
      queue.push(bytes);
      if (!hasHead && !findHead()) return;
      for (;;) {
        toSkip -= queue.skip(toSkip);
        if (toSkip > 0) return;
        // Some writers pad with zeros, which never begin an element.
        while (queue.at(0) === 0) queue.skip(1);
        const element = nextHead();
        if (element === undefined || !(yield* next(element))) return;
      }
    },
    *finish() {
      if (headlessBytes > 0 && file.track === undefined) throw headMissing();
      yield* release(0);
    },
  };
}
