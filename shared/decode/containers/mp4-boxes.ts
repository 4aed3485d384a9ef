import { hasTextAt, textAt, viewOf } from '../bytes/bytes';

/** Boxes that only hold others, on the way to the descriptions of the tracks. */
const containers: ReadonlySet<string> = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl']);
const maxBoxes = 100_000;
/** Of boxes in boxes below a track; `stsd` is the fourth. */
const maxDepth = 4;

interface Box {
  readonly type: string;
  readonly body: Uint8Array;
}

/** The boxes in a stretch of an ISO base media file; one that is cut off comes as far as it goes. */
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

/** The handler and the descriptions of the samples (`stsd`) of one track. */
function describeTrack(track: Uint8Array): { isSound: boolean; isEncrypted: boolean } {
  let isSound = false;
  let isEncrypted = false;
  for (const { type, body } of flatBoxes(track)) {
    if (type === 'hdlr') isSound ||= hasTextAt(body, 8, 'soun');
    if (type !== 'stsd') continue;
    // Behind a version and a count; the entry's type says that its real one stands elsewhere, in the clear.
    for (const entry of boxesIn(body.subarray(8))) isEncrypted ||= protectedEntries.has(entry.type);
  }
  return { isSound, isEncrypted };
}

/** Common encryption, iTunes' and Audible's: sample entries that no key-less decoder can read. */
const protectedEntries: ReadonlySet<string> = new Set(['enca', 'drms', 'aavd']);

function* flatBoxes(bytes: Uint8Array, depth = 0): Generator<Box> {
  for (const box of boxesIn(bytes)) {
    yield box;
    if (containers.has(box.type) && depth < maxDepth) yield* flatBoxes(box.body, depth + 1);
  }
}

/** For each sound track of an MP4 file, in its order, whether it is encrypted. */
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
