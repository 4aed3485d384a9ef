import type { KernelsChoice } from '../compute/kernels/kernels-addon';
import { nativeResampling } from '../compute/kernels/native-resampling';
import { AppError } from '../errors/app-error';
import { isMachineFault } from '../errors/machine-fault';
import type { Clip, DecodeRequest } from '../signal/clip';
import { createClipBuilder, type ClipBuilder } from './bytes/clip-builder';
import { decodeFlac } from './codecs/decode-flac';
import { decodeMp3 } from './codecs/decode-mp3';
import { decodeOgg } from './codecs/decode-ogg';
import { decodeWav, type KnownWavHeader } from './codecs/decode-wav';
import { decodeWithFfmpeg, type FfmpegInput, type FfmpegOptions } from './ffmpeg/ffmpeg';
import { sniff, type Sniffed } from './sniff';
import { headMissing, isWebmRest } from './containers/webm-demuxer';
import { wavFormatName } from './codecs/wav-format';
import { nextWav, parseWavHeader } from './codecs/wav-header';
import { createWorkBudget } from './bytes/work-budget';

/** How this machine decodes; the same for every recording. */
export interface DecodeOptions extends FfmpegOptions {
  /** The native kernels, for resampling; absent: TypeScript and WebAssembly. */
  readonly kernels?: KernelsChoice | undefined;
}

type Decode = (builder: ClipBuilder) => void | Promise<void>;

/** Decodes a WAV file and those appended to it, as one recording. */
function decodeWavs(first: Uint8Array, firstHeader: KnownWavHeader, builder: ClipBuilder): void {
  let [file, header] = [first, firstHeader];
  for (;;) {
    decodeWav(file, header, builder);
    const next = nextWav(file, header.dataOffset + header.dataBytes);
    if (next === undefined) return;
    file = file.subarray(next);
    const { codec, ...rest } = parseWavHeader(file);
    if (codec === undefined) {
      builder.warn('Another WAV file behind the first is coded otherwise; its sound is left out.');
      return;
    }
    header = { ...rest, codec };
  }
}

/**
 * @throws AppError unsupported-media or undecodable-audio for bytes that are known to be no recording,
 * or only a part of one
 */
function sniffSound(bytes: Uint8Array): Exclude<Sniffed, { kind: 'other' }> {
  const found = sniff(bytes);
  if (found.kind === 'other') throw new AppError('unsupported-media', found.sentence);
  if (found.kind === 'unknown' && isWebmRest(bytes)) throw headMissing();
  return found;
}

/** Detects the format and returns its decoder. */
function chooseDecoder(bytes: Uint8Array, request: DecodeRequest, options: DecodeOptions): Decode {
  const found = sniffSound(bytes);
  const recording = 'start' in found ? bytes.subarray(found.start) : bytes;
  const throughFfmpeg =
    (input: FfmpegInput): Decode =>
    (builder) =>
      decodeWithFfmpeg(recording, input, builder, request, options);

  switch (found.kind) {
    case 'wav': {
      const header = parseWavHeader(recording);
      const { codec, formatTag } = header;
      if (codec === undefined)
        return throughFfmpeg({ format: 'wav', demuxer: 'wav', codec: wavFormatName(formatTag) });
      return (builder) => {
        decodeWavs(recording, { ...header, codec }, builder);
      };
    }
    case 'flac':
      return (builder) => {
        decodeFlac(bytes, found.start, builder);
      };
    case 'mp3':
      return (builder) => decodeMp3(bytes, found.start, builder);
    case 'ogg':
      if (found.codec === undefined) return throughFfmpeg({ format: 'ogg', demuxer: 'ogg' });
      if (found.codec === 'speex') return throughFfmpeg({ format: 'ogg', demuxer: 'ogg', codec: 'Speex' });
      return (builder) => decodeOgg(recording, builder);
    case 'foreign':
      return throughFfmpeg(found);
    case 'unknown':
      return throughFfmpeg({});
  }
}

/**
 * Decodes a recording into a mono clip at the requested rate: detect the format, decode, check, mix,
 * resample. It runs on the calling thread; services use the decoder pool. Memory holds only the clip and
 * a chunk of the recording, and a small file that would decode to hours is refused on the way. A
 * recording that ends early (a broken upload, for example) is accepted up to there; one that is damaged
 * in between is refused where its format reveals that.
 * @throws AppError unsupported-media, undecodable-audio, empty-audio, non-finite-audio, clip-too-long,
 * cancelled; storage-full or internal where the machine lacks a temporary folder, descriptors or memory
 */
export async function decode(
  bytes: Uint8Array,
  request: DecodeRequest,
  options: DecodeOptions = {},
): Promise<Clip> {
  if (bytes.length === 0)
    throw new AppError('empty-audio', 'The recording is empty: it has no bytes at all.');
  const { kernels } = options;
  const builder = createClipBuilder(
    request,
    kernels && nativeResampling(kernels),
    createWorkBudget(bytes.length, request.maxSeconds),
  );
  try {
    await chooseDecoder(bytes, request, options)(builder);
    return builder.finish();
  } catch (error) {
    if (error instanceof AppError || isMachineFault(error)) throw AppError.from(error);
    // Decoders are third-party code with untrusted input: any other error is caused by these bytes.
    throw new AppError('undecodable-audio', 'The recording is damaged: its decoder gave up.', {
      cause: error,
    });
  }
}
