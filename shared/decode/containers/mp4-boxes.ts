import { hasTextAt, textAt, viewOf } from '../bytes/bytes';

/** Boxes that contain other boxes, on the path to the sample descriptions. */
const containers: ReadonlySet<string> = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);
const maxBoxes = 100_000;
/** Nesting of boxes below a track; `stsd` is at level four. */
const maxDepth = 4;

interface Box {
  readonly type: string;
  readonly body: Uint8Array;
}

/**
 * Yields the boxes in a part of an ISO base media file; an incomplete last one is yielded as far as it
 * goes.
 */
function* boxesIn(bytes: Uint8Array): Generator<Box> {
  const view = viewOf(bytes);
  let at = 0;
  for (let count = 0; count < maxBoxes && at + 8 <= bytes.length; count += 1) {
    const short = view.getUint32(at);
    const isLong = short === 1 && at + 16 <= bytes.length;
    const headBytes = isLong ? 16 : 8;
    const size = isLong ? Number(view.getBigUint64(at + 8)) : short === 0 ? bytes.length - at : short;
    if (size < headBytes) return;
    yield { type: textAt(bytes, at + 4, 4), body: bytes.subarray(at + headBytes, at + size) };
    at += size;
  }
}

/** Reads the handler and the sample descriptions (`stsd`) of a track. */
function describeTrack(track: Uint8Array): { isSound: boolean; isEncrypted: boolean } {
  let isSound = false;
  let isEncrypted = false;
  for (const { type, body } of flatBoxes(track)) {
    if (type === 'hdlr') isSound ||= hasTextAt(body, 8, 'soun');
    if (type !== 'stsd') continue;
    // The entries follow a version and a count. The type of an encrypted entry hides the type of its
    // codec.
    for (const entry of boxesIn(body.subarray(8))) isEncrypted ||= protectedEntries.has(entry.type);
  }
  return { isSound, isEncrypted };
}

/** Sample entries of encrypted tracks: common encryption, iTunes and Audible. */
const protectedEntries: ReadonlySet<string> = new Set(['enca', 'drms', 'aavd']);

function* flatBoxes(bytes: Uint8Array, depth = 0): Generator<Box> {
  for (const box of boxesIn(bytes)) {
    yield box;
    if (containers.has(box.type) && depth < maxDepth) yield* flatBoxes(box.body, depth + 1);
  }
}

/** Tells for each audio track of an MP4 file, in order, whether it is encrypted. */
export function encryptedSoundTracks(file: Uint8Array): boolean[] {
  const tracks: boolean[] = [];
  for (const { type, body } of boxesIn(file)) {
    if (type !== 'moov') continue;
    for (const box of boxesIn(body)) {
      if (box.type !== 'trak') continue;
      const { isSound, isEncrypted } = describeTrack(box.body);
      if (isSound) tracks.push(isEncrypted);
    }
  }
  return tracks;
}
