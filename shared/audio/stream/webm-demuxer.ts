import { AppError } from '../../errors/app-error';
import { damaged } from '../damaged';
import { ByteQueue } from './byte-queue';
import { findOpusTrack, type OpusTrack } from './webm-tracks';
import { ids, readSigned, readVint, vintLength } from './ebml';
import type { OpusDemuxer, OpusPiece } from './opus-demuxer';

/** Elements that only hold others: stepped into, so that children come in a flat row and nothing is counted or nested. */
const containers: ReadonlySet<number> = new Set([ids.segment, ids.cluster, ids.blockGroup]);

/** Elements that are read whole, and how large they may be. All others are passed over, however large. */
const readWhole: ReadonlyMap<number, number> = new Map([
  [ids.ebml, 4096],
  [ids.tracks, 262_144],
  [ids.simpleBlock, 131_072],
  [ids.block, 131_072],
  [ids.discardPadding, 8],
]);

interface Element {
  readonly id: number;
  /** Bytes of its content; undefined where the writer left it open. */
  readonly size: number | undefined;
  readonly headBytes: number;
}

/**
 * Opus out of WebM (or Matroska) that comes in pieces, as MediaRecorder sends it: segment and clusters of unknown size,
 * blocks without lacing. The first track with Opus is taken. Times in the container are not looked at: a recorder's blocks
 * follow each other without gaps.
 */
export function createWebmDemuxer(): OpusDemuxer {
  const queue = new ByteQueue();
  let track: OpusTrack | undefined;
  /** Bytes of the element being passed over that are still to come. */
  let toSkip = 0;
  /** A block whose group may still say how much of it is not to be played. */
  let held: Uint8Array | undefined;

  /** The element that begins here, or undefined when its head is not all there. */
  function nextHead(): Element | undefined {
    const idLength = vintLength(queue.at(0), 4);
    if (idLength === undefined) return queue.length === 0 ? undefined : fail('an element was expected here');
    if (queue.at(idLength) === undefined) return undefined;
    const sizeLength = vintLength(queue.at(idLength), 8) ?? fail('an element’s size is not well-formed');
    if (queue.length < idLength + sizeLength) return undefined;
    const view = queue.view();
    const id = readVint(view, 0, idLength, true)!;
    const size = readVint(view, idLength, sizeLength, false);
    return { id, size, headBytes: idLength + sizeLength };
  }

  function fail(why: string): never {
    throw damaged('WebM', queue.offset, why);
  }

  function* release(discardSamples: number): Generator<OpusPiece> {
    if (held !== undefined) yield { kind: 'packet', packet: held, discardSamples };
    held = undefined;
  }

  function packetOf(block: Uint8Array): Uint8Array | undefined {
    const numberLength = vintLength(block[0], 8) ?? fail('a block has no track number');
    const number = readVint(block, 0, numberLength, false);
    if (track === undefined) return fail('a block comes before the list of tracks');
    if (number !== track.number) return undefined;
    const flags = block[numberLength + 2] ?? fail('a block is cut off');
    if ((flags & 0x06) !== 0) {
      throw new AppError(
        'unsupported-media',
        'WebM with laced blocks is not taken; record with one packet a block.',
      );
    }
    return block.slice(numberLength + 3);
  }

  function* readElement(id: number, body: Uint8Array): Generator<OpusPiece> {
    switch (id) {
      case ids.ebml:
        // A recorder that was restarted sends a whole new file behind the old one.
        if (track !== undefined) yield { kind: 'end' };
        track = undefined;
        return;
      case ids.tracks:
        if (track !== undefined) return;
        track = findOpusTrack(body, queue.offset);
        yield { kind: 'head', head: track.head };
        return;
      case ids.discardPadding:
        yield* release(Math.round((Math.max(0, readSigned(body)) * 48_000) / 1e9));
        return;
      case ids.block:
        held = packetOf(body);
        return;
      default: {
        const packet = packetOf(body);
        if (packet !== undefined) yield { kind: 'packet', packet, discardSamples: 0 };
      }
    }
  }

  return {
    *push(bytes) {
      queue.push(bytes);
      for (;;) {
        toSkip -= queue.skip(toSkip);
        if (toSkip > 0) return;
        const element = nextHead();
        if (element === undefined) return;
        const { id, size, headBytes } = element;
        if (containers.has(id)) {
          queue.skip(headBytes);
          continue;
        }
        if (size === undefined) fail('an element of unknown size is not taken here');
        const limit = readWhole.get(id);
        if (limit === undefined) {
          queue.skip(headBytes);
          toSkip = size;
          continue;
        }
        if (size > limit) fail(`an element of ${size} bytes is too large, ${limit} are taken`);
        if (queue.length < headBytes + size) return;
        const body = queue.view().slice(headBytes, headBytes + size);
        queue.skip(headBytes + size);
        if (id !== ids.discardPadding) yield* release(0);
        yield* readElement(id, body);
      }
    },
    finish: () => release(0),
  };
}
