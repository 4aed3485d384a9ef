import { formatError } from '../bytes/format-error';
import { deinterleave } from '../codecs/decode-wav';
import { viewOf } from '../bytes/bytes';
import { ByteQueue } from '../containers/byte-queue';
import { childrenOf, ids, parseElementHead, readUnsigned } from '../containers/ebml';
import { parseBlockHead } from '../containers/webm-blocks';

export interface MkaTrack {
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
}

export interface MkaListener {
  /** Called once, before any samples. */
  begin(track: MkaTrack): void;
  /** Receives samples, one array per channel; the first sample belongs at `atSeconds`. */
  push(channels: readonly Float32Array[], atSeconds: number): void;
}

const containers: ReadonlySet<number> = new Set([ids.segment, ids.tracks, ids.cluster, ids.blockGroup]);
/** Elements that are read; others are skipped. */
const relevantElements: ReadonlySet<number> = new Set([
  ids.trackEntry,
  ids.timestamp,
  ids.simpleBlock,
  ids.block,
]);
/** ffmpeg's muxer writes timestamps in milliseconds. */
const tickSeconds = 0.001;

/** Reads a float of 4 or 8 bytes. */
function readFloat(body: Uint8Array): number {
  return body.length === 4 ? viewOf(body).getFloat32(0) : viewOf(body).getFloat64(0);
}

function readTrack(entry: Uint8Array): MkaTrack | undefined {
  for (const { id, body } of childrenOf(entry)) {
    if (id !== ids.audio) continue;
    const fields = new Map([...childrenOf(body)].map((field) => [field.id, field.body]));
    const rate = fields.get(ids.samplingFrequency);
    const channels = fields.get(ids.channels);
    if (rate === undefined || channels === undefined) return undefined;
    return { sampleRate: Math.round(readFloat(rate)), channels: readUnsigned(channels) };
  }
  return undefined;
}

/**
 * Parses Matroska with one track of 32-bit floats that arrives in chunks. ffmpeg is asked for this
 * format because its blocks have timestamps, which raw samples lack.
 */
export function createMkaStream(listener: MkaListener): { push(chunk: Uint8Array): void } {
  const queue = new ByteQueue();
  let track: MkaTrack | undefined;
  let clusterTicks = 0;

  function readBlock(body: Uint8Array): void {
    const head = parseBlockHead(body);
    if (head === undefined || track === undefined)
      throw formatError('Matroska', queue.offset, 'a block is cut off');
    const seconds = (clusterTicks + head.relativeTicks) * tickSeconds;
    listener.push(deinterleave(body.subarray(head.bytes), 'pcm_f32le', track.channels), seconds);
  }

  function read(id: number, body: Uint8Array): void {
    if (id === ids.timestamp) clusterTicks = readUnsigned(body);
    else if (id !== ids.trackEntry) readBlock(body);
    else {
      track = readTrack(body);
      if (track !== undefined) listener.begin(track);
    }
  }

  /**
   * Reads one element.
   * @returns whether there was a complete one
   */
  function next(): boolean {
    const head = parseElementHead(queue.view());
    if (head === 'malformed') throw formatError('Matroska', queue.offset, 'an element was expected here');
    if (head === undefined) return false;
    const { id, size = 0, headBytes } = head;
    const end = headBytes + (containers.has(id) ? 0 : size);
    if (queue.length < end) return false;
    if (relevantElements.has(id)) read(id, queue.view().subarray(headBytes, end));
    queue.skip(end);
    return true;
  }

  return {
    push(chunk) {
      queue.push(chunk);
      while (next()) {
        // next() reads one element at a time.
      }
    },
  };
}
