import { AppError } from '../../errors/app-error';
import { hasTextAt } from '../bytes/bytes';
import { damaged } from '../bytes/damaged';
import { maxLeadSeconds, TrackClock } from './track-clock';
import { ByteQueue } from './byte-queue';
import { ids, parseElementHead, readSigned, readUnsigned, type ElementHead } from './ebml';
import type { OpusDemuxer, OpusPiece } from '../codecs/opus-demuxer';
import { opusPacketSamples } from '../codecs/opus-packet';
import { framesOfBlock, maxBlockHeadBytes, parseBlockHead, type BlockHead } from './webm-blocks';
import { chooseOpusTrack, parseTrackEntry, type OpusTrack, type WebmTrack } from './webm-tracks';

/** Elements that only hold others: stepped into, so that children come in a flat row and nothing is counted or nested. */
const containers: ReadonlySet<number> = new Set([
  ids.segment,
  ids.info,
  ids.tracks,
  ids.cluster,
  ids.blockGroup,
]);

const blocks: ReadonlySet<number> = new Set([ids.simpleBlock, ids.block]);

/** Small elements that are read whole, and how large they may be. */
const readWhole: ReadonlyMap<number, number> = new Map([
  [ids.ebml, 4096],
  [ids.timestampScale, 8],
  [ids.trackEntry, 262_144],
  [ids.timestamp, 8],
  [ids.discardPadding, 8],
]);
/** Of the track that is heard; blocks of others are passed over, however large. */
const maxBlockBytes = 131_072;
const maxTracks = 128;
/** Blocks passed over in wait of a list of tracks: a minute of sound, or a moment of picture. */
const maxHeadlessBytes = 2 ** 20;

const opusRate = 48_000;
const defaultTickSeconds = 0.001;
/** Holes in all, beside so many times the sound (a sender that sends nothing while it is quiet). */
const maxHolesSeconds = 3600;
const holesPerSound = 30;

/** The error for WebM, sent or uploaded, that starts behind its header. */
export function headMissing(): AppError {
  return new AppError(
    'undecodable-audio',
    'The WebM recording’s beginning, which lists its tracks, is missing: send what the recorder gives from its first blob on.',
  );
}

/** Whether a stream begins with WebM's header, or with what follows it. */
export function isWebm(bytes: Uint8Array): boolean {
  return hasTextAt(bytes, 0, '\x1a\x45\xdf\xa3') || isWebmRest(bytes);
}

/** Whether bytes begin as a recorder's later blobs do: with a cluster, or within one with blocks. */
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

/** What is known of the file that is being read; a recorder that starts anew sends another behind it. */
interface File {
  readonly tracks: WebmTrack[];
  track: OpusTrack | undefined;
  tickSeconds: number;
  clusterTicks: number;
  /** What its clock says where it begins; undefined before the first block. */
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
 * Opus out of WebM (or Matroska) that comes in pieces, as recorders send it: elements of unknown size, blocks with or without
 * lacing, other tracks beside. What is not needed is passed over in constant memory. Sound that is missing by the
 * blocks' times becomes a hole.
 */
export function createWebmDemuxer(): OpusDemuxer {
  const queue = new ByteQueue();
  let file = newFile();
  /** Whether a file's header came: what stands before it is the rest of another file, cut anywhere. */
  let hasHead = false;
  /** Bytes of the element being passed over that are still to come. */
  let toSkip = 0;
  /** The last packet of a block, whose group may still say how much of it is not to be played. */
  let held: Uint8Array | undefined;
  /** What a group said of its block before the block came. */
  let discardSamples = 0;
  /** Of blocks that came before any list of tracks. */
  let headlessBytes = 0;
  /** Samples of all files, at 48 kHz. */
  let holes = 0;
  let sound = 0;

  function fail(why: string): never {
    throw damaged('WebM', queue.offset, why);
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

  /** When a block is heard, from the start of its file on. */
  function timeOf({ relativeTicks }: BlockHead): number {
    const seconds = (file.clusterTicks + relativeTicks) * file.tickSeconds;
    file.startSeconds ??= seconds > maxLeadSeconds ? seconds : 0;
    return seconds - file.startSeconds;
  }

  function* keepPlace(atSeconds: number): Generator<OpusPiece> {
    const samples = file.clock.holeBefore(atSeconds);
    if (samples === 0) return;
    yield* release(0);
    holes += samples;
    if (holes > maxHolesSeconds * opusRate + holesPerSound * sound) {
      throw new AppError(
        'undecodable-audio',
        `The WebM stream’s clock jumps by ${Math.round(samples / opusRate)} s: ` +
          `pauses of up to ${maxHolesSeconds} s in all are taken. Start a new stream instead.`,
      );
    }
    file.clock.advance(samples);
    yield { kind: 'hole', samples };
  }

  function* readBlock(block: Uint8Array, head: BlockHead, track: OpusTrack): Generator<OpusPiece> {
    const frames = framesOfBlock(block, head) ?? fail('a block’s lacing does not add up');
    const atSeconds = timeOf(head);
    // An empty frame stands for sound that there is none of: the time of the next block keeps its place.
    const packets = frames.filter(({ length }) => length > 0);
    if (packets.length > 0) yield* keepPlace(atSeconds);
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
        // A recorder that was restarted sends a whole new file behind the old one.
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

  /** Looks for a header in what stands before it. @returns whether one is there */
  function findHead(): boolean {
    const view = queue.view();
    const at = Buffer.from(view.buffer, view.byteOffset, view.length).indexOf(headMarker);
    // The marker may be cut between two pieces.
    headlessBytes += queue.skip(at >= 0 ? at : Math.max(0, view.length - (headMarker.length - 1)));
    if (headlessBytes > maxHeadlessBytes) throw headMissing();
    hasHead = at >= 0;
    return hasHead;
  }

  function pass({ headBytes, size }: ElementHead): void {
    queue.skip(headBytes);
    toSkip = size ?? 0;
  }

  /** Blocks without a list of tracks: a recorder that starts anew may send one yet. */
  function passHeadless(element: ElementHead): void {
    headlessBytes += element.size ?? 0;
    if (headlessBytes > maxHeadlessBytes) throw headMissing();
    pass(element);
  }

  /** The content of an element, taken out of the queue; undefined where it is not all there. */
  function take({ headBytes, size = 0 }: ElementHead): Uint8Array | undefined {
    if (queue.length < headBytes + size) return undefined;
    const body = queue.view().slice(headBytes, headBytes + size);
    queue.skip(headBytes + size);
    return body;
  }

  /** @returns whether the block is done with; false: more of it must come */
  function* nextBlock(element: ElementHead): Generator<OpusPiece, boolean> {
    const { headBytes, size = 0 } = element;
    const peeked = Math.min(size, maxBlockHeadBytes);
    if (queue.length < headBytes + peeked) return false;
    if (file.track === undefined) {
      passHeadless(element);
      return true;
    }
    const head = parseBlockHead(queue.view().subarray(headBytes, headBytes + peeked));
    if (head?.track !== file.track.number) {
      if (head !== undefined) timeOf(head);
      pass(element);
      return true;
    }
    if (size > maxBlockBytes) fail(`a block of ${size} bytes is too large, ${maxBlockBytes} are taken`);
    const block = take(element);
    if (block === undefined) return false;
    if (element.id === ids.simpleBlock) discardSamples = 0;
    yield* readBlock(block, head, file.track);
    return true;
  }

  /** @returns whether the element was dealt with; false: more of it must come */
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
      pass(element);
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
        // Some writers pad with zeros, which begin no element.
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
