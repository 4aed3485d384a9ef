import { viewOf } from '../bytes/bytes';
import { formatError } from '../bytes/format-error';

export type WavCodec =
  | 'pcm_u8'
  | 'pcm_s16le'
  | 'pcm_s24le'
  | 'pcm_s24in32le'
  | 'pcm_s32le'
  | 'pcm_s64le'
  | 'pcm_f32le'
  | 'pcm_f64le'
  | 'pcm_s16be'
  | 'pcm_s24be'
  | 'pcm_s32be'
  | 'pcm_s64be'
  | 'pcm_f32be'
  | 'pcm_f64be'
  | 'alaw'
  | 'mulaw';

/** The content of a fmt chunk. */
export interface WavFormat {
  /** Undefined for a compressed format that is not decoded here; `formatTag` identifies it. */
  readonly codec: WavCodec | undefined;
  readonly formatTag: number;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of one sample in all channels. */
  readonly frameBytes: number;
}

const pcmTag = 1;
const floatTag = 3;
const extensibleTag = 0xfffe;
const extensibleBytes = 40;
/**
 * The last 14 bytes of a WAVE_FORMAT_EXTENSIBLE sub-format id, after the two bytes of the format tag:
 * the usual ones, and those of Ambisonic B-format.
 */
const subFormatTails = ['000000001000800000aa00389b71', '00002107d3118644c8c1ca000000'];

/** Codecs by format tag and bytes per sample. */
const littleEndian: Readonly<Record<number, Readonly<Record<number, WavCodec>>>> = {
  1: { 1: 'pcm_u8', 2: 'pcm_s16le', 3: 'pcm_s24le', 4: 'pcm_s32le', 8: 'pcm_s64le' },
  3: { 4: 'pcm_f32le', 8: 'pcm_f64le' },
};
/** For RIFX files. */
const bigEndian: typeof littleEndian = {
  1: { 1: 'pcm_u8', 2: 'pcm_s16be', 3: 'pcm_s24be', 4: 'pcm_s32be', 8: 'pcm_s64be' },
  3: { 4: 'pcm_f32be', 8: 'pcm_f64be' },
};
/** One byte per sample; some headers state the bits of the decoded samples instead. */
const logarithmic: Readonly<Record<number, WavCodec>> = { 6: 'alaw', 7: 'mulaw' };

/** Common names of formats that only ffmpeg decodes (RFC 2361 and Microsoft's mmreg.h). */
const names: Readonly<Record<number, string>> = {
  0x02: 'Microsoft ADPCM',
  0x11: 'IMA ADPCM',
  0x14: 'G.723 ADPCM',
  0x16: 'G.723 ADPCM',
  0x20: 'Yamaha ADPCM',
  0x22: 'TrueSpeech',
  0x31: 'GSM 6.10',
  0x32: 'MSN Audio',
  0x40: 'G.721 ADPCM',
  0x42: 'G.723.1',
  0x45: 'G.726 ADPCM',
  0x50: 'MPEG',
  0x55: 'MP3',
  0x61: 'Duck ADPCM',
  0x62: 'Duck ADPCM',
  0x64: 'G.726 ADPCM',
  0x83: 'G.729',
  0xff: 'AAC',
  0x130: 'Sipro',
  0x160: 'WMA',
  0x161: 'WMA 2',
  0x162: 'WMA Pro',
  0x163: 'WMA lossless',
  0x200: 'Creative ADPCM',
  0x270: 'ATRAC3',
  0x1600: 'AAC',
  0x1610: 'AAC',
  0x1602: 'AAC LATM',
  0x2000: 'AC-3',
  0x2001: 'DTS',
  0x5346: 'Flash ADPCM',
  0xa109: 'Speex',
  0xf1ac: 'FLAC',
  0xfffe: 'a private format',
};

/** Returns the name of a compressed WAV format. */
export function wavFormatName(formatTag: number): string {
  return names[formatTag] ?? `format ${formatTag}`;
}

function codecOf(formatTag: number, sampleBytes: number, isBigEndian: boolean): WavCodec | undefined {
  return (isBigEndian ? bigEndian : littleEndian)[formatTag]?.[sampleBytes];
}

interface Fields {
  readonly formatTag: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly statedFrameBytes: number;
  readonly bits: number;
}

function readFields(bytes: Uint8Array, offset: number, size: number, isBigEndian: boolean): Fields {
  const view = viewOf(bytes);
  const statedTag = view.getUint16(offset, !isBigEndian);
  let formatTag = statedTag;
  if (statedTag === extensibleTag) {
    // Some writers use the extensible tag without the extension.
    formatTag = pcmTag;
    if (size >= extensibleBytes) {
      const tail = Buffer.from(bytes.subarray(offset + 26, offset + extensibleBytes)).toString('hex');
      formatTag = subFormatTails.includes(tail) ? view.getUint16(offset + 24, !isBigEndian) : extensibleTag;
    }
  }
  return {
    formatTag,
    channels: view.getUint16(offset + 2, !isBigEndian),
    sampleRate: view.getUint32(offset + 4, !isBigEndian),
    statedFrameBytes: view.getUint16(offset + 12, !isBigEndian),
    bits: view.getUint16(offset + 14, !isBigEndian),
  };
}

/**
 * Parses a fmt chunk whose content is at `offset`. The frame size follows from bits and channels. The
 * stated frame size is often wrong (in bits, or for one channel); it is used only where no bits are
 * stated, or to detect 24 bits in 4 bytes.
 * @throws AppError undecodable-audio
 */
export function parseWavFormat(
  bytes: Uint8Array,
  offset: number,
  size: number,
  isBigEndian: boolean,
): WavFormat {
  if (size < 16) throw formatError('WAV', offset, `its fmt chunk is ${size} bytes long, 16 are the least`);
  const { statedFrameBytes, bits, ...fields } = readFields(bytes, offset, size, isBigEndian);
  const { formatTag, channels } = fields;
  if (formatTag !== pcmTag && formatTag !== floatTag) {
    const codec = channels === 0 ? undefined : logarithmic[formatTag];
    return { ...fields, codec, frameBytes: codec === undefined ? Math.max(1, statedFrameBytes) : channels };
  }
  if (channels === 0) throw formatError('WAV', offset + 2, 'it has no channel');
  // Odd depths (12, 20 bits) are left-aligned in the next whole number of bytes.
  const sampleBytes = bits === 0 ? statedFrameBytes / channels : Math.ceil(bits / 8);
  const isInFour = sampleBytes === 3 && statedFrameBytes === 4 * channels;
  if (isInFour && !isBigEndian) return { ...fields, codec: 'pcm_s24in32le', frameBytes: statedFrameBytes };
  const codec = codecOf(formatTag, sampleBytes, isBigEndian);
  if (codec === undefined)
    throw formatError('WAV', offset + 14, `format ${formatTag} has no samples of ${bits} bits`);
  return { ...fields, codec, frameBytes: channels * sampleBytes };
}

/** Returns the bytes of one sample of one channel. */
export function sampleBytesOf(codec: WavCodec): number {
  if (codec === 'pcm_u8' || codec === 'alaw' || codec === 'mulaw') return 1;
  return codec === 'pcm_s24in32le' ? 4 : Number(codec.slice(5, 7)) / 8;
}
