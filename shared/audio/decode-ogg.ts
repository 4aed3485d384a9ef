import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { OggOpusDecoder } from 'ogg-opus-decoder';
import { AppError } from '../errors/app-error';
import { viewOf } from './bytes';
import type { ClipBuilder } from './clip-builder';
import { damaged } from './damaged';
import { createFlacFrameReader } from './decode-flac';
import { parseStreamInfo } from './flac-header';
import { oggPackets, type OggCodec, type OggPage, type OggStream } from './ogg-pages';

/** The codecs decoded here. */
export type InProcessOggCodec = Exclude<OggCodec, 'speex'>;

interface Decoded {
  readonly channelData: Float32Array[];
  readonly samplesDecoded: number;
  readonly errors: readonly { readonly message: string }[];
}

interface StreamDecoder {
  readonly ready: Promise<void>;
  decode(bytes: Uint8Array): Decoded | Promise<Decoded>;
  free(): unknown;
}

interface StreamHead {
  readonly sampleRate: number;
  readonly channels: number;
  /** Samples at the start that belong to the encoder. */
  readonly preSkip: number;
}

/** What a page can hold is bounded, but 255 channels times 255 long packets would still be gigabytes. */
const maxOggChannels = 8;
/** Pages decoded at a time. */
const pagesAtOnce = 4;

/**
 * The decoders let a page go when a byte follows it. Their own way to end a stream, `flush`, also sets up another decoder, a
 * tenth of the work for a clip of five seconds.
 */
const byteBehind = Uint8Array.of(0);

const opusRate = 48_000;

/** Where STREAMINFO stands in the first packet of FLAC in Ogg: behind the mapping's own header, `fLaC` and a block header. */
const oggStreamInfoOffset = 17;

const readHead: Readonly<Record<InProcessOggCodec, (head: Uint8Array) => StreamHead>> = {
  vorbis: (head) => ({ sampleRate: viewOf(head).getUint32(12, true), channels: head[11]!, preSkip: 0 }),
  // Opus always plays at 48 kHz; the rate in its header only remembers what went into the encoder.
  opus: (head) => ({
    sampleRate: opusRate,
    channels: head[9]!,
    preSkip: viewOf(head).getUint16(10, true),
  }),
  flac: (head) => ({ ...parseStreamInfo(head, oggStreamInfoOffset), preSkip: 0 }),
};

const leastHeadBytes: Readonly<Record<InProcessOggCodec, number>> = { vorbis: 30, opus: 19, flac: 51 };

/**
 * A lower bound for a stream's length in samples, from the positions its pages state: a stream recorded from
 * the middle of a broadcast does not start at 0.
 */
function statedSamples(pages: readonly OggPage[]): number {
  const stated = pages.filter(({ granule }) => granule > 0);
  const first = stated[0]?.granule ?? 0;
  return stated.reduce((most, { granule }) => Math.max(most, granule - first), 0);
}

function join(pages: readonly OggPage[]): Uint8Array {
  const joined = new Uint8Array(pages.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let offset = 0;
  for (const { bytes } of pages) {
    joined.set(bytes, offset);
    offset += bytes.length;
  }
  return joined;
}

/** @returns samples a channel */
function pushDecoded(decoded: Decoded, channels: number, at: number, builder: ClipBuilder): number {
  const [error] = decoded.errors;
  if (error !== undefined) throw damaged('Ogg', at, `a packet cannot be decoded (${error.message})`);
  if (decoded.samplesDecoded <= 0) return 0;
  if (decoded.channelData.length < channels) throw damaged('Ogg', at, 'a packet lacks channels');
  // A trimmed last page has a length of its own; the channels' arrays may be longer.
  builder.push(decoded.channelData.map((channel) => channel.subarray(0, decoded.samplesDecoded)));
  return decoded.samplesDecoded;
}

/** @returns samples a channel */
async function decodePages(
  decoder: StreamDecoder,
  pages: readonly OggPage[],
  channels: number,
  builder: ClipBuilder,
): Promise<number> {
  await decoder.ready;
  let samples = 0;
  try {
    for (let index = 0; index < pages.length; index += pagesAtOnce) {
      const some = pages.slice(index, index + pagesAtOnce);
      samples += pushDecoded(await decoder.decode(join(some)), channels, some[0]!.byteOffset, builder);
    }
    samples += pushDecoded(await decoder.decode(byteBehind), channels, pages.at(-1)!.byteOffset, builder);
  } finally {
    decoder.free();
  }
  return samples;
}

function decodeFlacPackets({ head, pages }: OggStream, builder: ClipBuilder): void {
  const readFrame = createFlacFrameReader(parseStreamInfo(head, oggStreamInfoOffset), builder);
  for (const { packet, byteOffset } of oggPackets(pages)) {
    if (packet[0] !== 0xff) continue; // metadata
    if (readFrame(packet, 0, byteOffset) === undefined)
      throw damaged('Ogg', byteOffset, 'a FLAC frame is cut off');
  }
}

/** Decodes one logical stream of an Ogg file. @throws AppError undecodable-audio, and what the builder throws */
export async function decodeOggStream(
  stream: OggStream,
  codec: InProcessOggCodec,
  builder: ClipBuilder,
): Promise<void> {
  const { head, pages } = stream;
  const start = pages[0]!.byteOffset;
  if (head.length < leastHeadBytes[codec]) throw damaged('Ogg', start, `its ${codec} header is too short`);
  const { sampleRate, channels, preSkip } = readHead[codec](head);
  if (channels > maxOggChannels) {
    throw new AppError(
      'undecodable-audio',
      `The Ogg file has ${channels} channels; up to ${maxOggChannels} are understood. Mix it down first.`,
      { details: { channels } },
    );
  }
  const claimedSamples = Math.max(0, statedSamples(pages) - preSkip);
  builder.begin({ format: 'ogg', codec, sampleRate, channels, claimedSamples });
  if (codec === 'flac') {
    decodeFlacPackets(stream, builder);
    return;
  }
  const decoder = codec === 'vorbis' ? new OggVorbisDecoder() : new OggOpusDecoder();
  const samples = await decodePages(decoder, pages, channels, builder);
  if (samples === 0 && claimedSamples > 0) throw damaged('Ogg', start, 'none of its packets can be decoded');
}
