import { formatError } from '../bytes/format-error';

/** The content of a four-byte MPEG audio frame header (ISO/IEC 11172-3, 13818-3). */
interface MpegHeader {
  readonly codec: 'mp1' | 'mp2' | 'mp3';
  readonly sampleRate: number;
  readonly channels: 1 | 2;
  readonly frameBytes: number;
  readonly frameSamples: number;
}

/** Frames for one decoder. Their bit rate and channels may differ, their codec and sample rate not. */
export interface MpegSection {
  readonly first: MpegHeader;
  /** The maximum over the frames. */
  readonly channels: 1 | 2;
  readonly frames: readonly Uint8Array[];
}

// kbit/s by layer (1, 2, 3): first MPEG-1, then MPEG-2 and 2.5 with half the sample rate.
const bitRates = {
  full: [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  half: [
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
} as const;
const sampleRates = [44_100, 48_000, 32_000] as const;
/** Divisor of the sample rate by version code: 2.5, reserved, 2, 1. */
const rateDivisors = [4, 0, 2, 1] as const;

/**
 * Reads version, layer, bit rate and sample rate from the second and third byte of a header; undefined
 * where a value is reserved.
 */
function readRates(
  second: number,
  third: number,
): { isHalfRate: boolean; layer: 1 | 2 | 3; bitRate: number; sampleRate: number } | undefined {
  const divisor = rateDivisors[((second >> 3) & 3) as 0 | 1 | 2 | 3];
  const layer = 4 - ((second >> 1) & 3);
  const baseRate = sampleRates[(third >> 2) & 3];
  if (divisor === 0 || layer === 4 || baseRate === undefined) return undefined;
  const isHalfRate = divisor > 1;
  const bitRate = 1000 * (bitRates[isHalfRate ? 'half' : 'full'][layer - 1]?.[third >> 4] ?? 0);
  if (bitRate === 0) return undefined;
  return { isHalfRate, layer: layer as 1 | 2 | 3, bitRate, sampleRate: baseRate / divisor };
}

/**
 * Parses the header at `at`; undefined where there is none. Free-format streams (bit rate 0) are not
 * supported.
 */
function parseMpegHeader(bytes: Uint8Array, at: number): MpegHeader | undefined {
  if (at + 4 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1]! & 0xe0) !== 0xe0) return undefined;
  const [second, third, fourth] = [bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!];
  const rates = readRates(second, third);
  if (rates === undefined) return undefined;
  const { isHalfRate, layer, bitRate, sampleRate } = rates;
  const frameSamples = layer === 1 ? 384 : layer === 3 && isHalfRate ? 576 : 1152;
  const slotBytes = layer === 1 ? 4 : 1;
  const slots = Math.floor(((frameSamples / 8 / slotBytes) * bitRate) / sampleRate) + ((third >> 1) & 1);
  const codec = codecNames[layer];
  return {
    codec,
    sampleRate,
    channels: fourth >> 6 === 3 ? 1 : 2,
    frameBytes: slots * slotBytes,
    frameSamples,
  };
}

const codecNames = { 1: 'mp1', 2: 'mp2', 3: 'mp3' } as const;

const areSameKind = (a: MpegHeader, b: MpegHeader): boolean =>
  a.codec === b.codec && a.sampleRate === b.sampleRate;

/**
 * Tells whether `count` frames of one kind follow one another from `at` on. At the end of the file two
 * are enough.
 */
export function isFrameRun(bytes: Uint8Array, at: number, count: number): boolean {
  const first = parseMpegHeader(bytes, at);
  if (first === undefined) return false;
  let next = at + first.frameBytes;
  for (let seen = 1; seen < count; seen += 1) {
    const header = parseMpegHeader(bytes, next);
    if (header === undefined || !areSameKind(header, first)) return seen >= 2 && next + 4 > bytes.length;
    next += header.frameBytes;
  }
  return true;
}

/** Number of consecutive frames that are required away from the expected start. */
const framesToTrust = 3;

/**
 * Finds the first frame in [`from`, `until`); −1 where there is none. At `from` two consecutive frames
 * are required, further on three.
 */
export function findMpegFrame(bytes: Uint8Array, from: number, until: number): number {
  if (isFrameRun(bytes, from, 2)) return from;
  for (let at = bytes.indexOf(0xff, from + 1); at >= 0 && at < until; at = bytes.indexOf(0xff, at + 1)) {
    if (isFrameRun(bytes, at, framesToTrust)) return at;
  }
  return -1;
}

/** A file with more sections counts as damaged, because each needs a decoder and a resampler. */
const maxSections = 64;

/**
 * Returns all complete frames from `start` on, in sections. A file that was joined from several may
 * change its codec and sample rate. Other bytes between frames (tags, remains of a broken download) are
 * skipped, as players do; MPEG frames have no checksum that would reveal damage.
 * @throws AppError undecodable-audio when the kind of frames changes too often
 */
export function scanMpegFrames(bytes: Uint8Array, start: number): MpegSection[] {
  const sections: Section[] = [];
  let at = start;
  while (at >= 0 && at + 4 <= bytes.length) {
    const header = parseMpegHeader(bytes, at);
    const section = header && sectionOf(header, sections, bytes, at);
    if (header === undefined || section === undefined) {
      at = findMpegFrame(bytes, at + 1, bytes.length);
      continue;
    }
    if (at + header.frameBytes > bytes.length) break;
    if (header.channels === 2) section.channels = 2;
    section.frames.push(bytes.subarray(at, at + header.frameBytes));
    at += header.frameBytes;
  }
  return sections.filter(({ frames }) => frames.length > 0);
}

interface Section {
  readonly first: MpegHeader;
  channels: 1 | 2;
  readonly frames: Uint8Array[];
}

/**
 * Returns the section of the frame at `at`, which may be a new one; undefined where the frame is
 * probably not one.
 */
function sectionOf(
  header: MpegHeader,
  sections: Section[],
  bytes: Uint8Array,
  at: number,
): Section | undefined {
  const last = sections.at(-1);
  if (last !== undefined && areSameKind(header, last.first)) return last;
  if (last !== undefined && !isFrameRun(bytes, at, framesToTrust)) return undefined;
  if (sections.length === maxSections) {
    throw formatError(
      'MP3',
      at,
      `its sound changes more than ${maxSections} times, here to ${describe(header)}`,
    );
  }
  const section: Section = { first: header, channels: header.channels, frames: [] };
  sections.push(section);
  return section;
}

function describe({ codec, sampleRate }: MpegHeader): string {
  return `${codec} at ${sampleRate} Hz`;
}
