import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { AppError } from '../errors/app-error';
import type { DecodeRequest } from './clip';
import type { ClipBuilder } from './clip-builder';
import { createWavStream } from './wav-stream';

/** The only file that knows fluent-ffmpeg, which is no longer developed. */

export interface FfmpegInput {
  /** As the clip's source will name it. */
  readonly format: string;
  /** ffmpeg's name for the container: it is not left to guess, for some of its guesses open other files. */
  readonly demuxer: string;
}

export interface FfmpegOptions {
  /** The program; without it, `FFMPEG_PATH` or the first `ffmpeg` on the PATH. */
  readonly ffmpegPath?: string;
}

const timeLimitSeconds = 30;
/** One allocation of ffmpeg's may not be larger, whatever a header claims. */
const maxAllocationBytes = 256 * 2 ** 20;
/** ffmpeg stops this much behind the longest clip, by which time the builder has refused it. */
const overrunSeconds = 1;

function missing({ format }: FfmpegInput, cause: unknown): AppError {
  return new AppError(
    'unsupported-media',
    `This is a ${format} recording, which needs ffmpeg: install ffmpeg on the server, or send WAV, FLAC, MP3, Ogg Vorbis or Opus.`,
    { cause, details: { format } },
  );
}

/** ffmpeg's own words stay in the cause: they name temporary files. */
function translate(caught: unknown, input: FfmpegInput): AppError {
  if (caught instanceof AppError) return caught;
  const text = String(caught);
  if (/Cannot find ffmpeg|ENOENT|EACCES/.test(text)) return missing(input, caught);
  const details = { format: input.format };
  if (text.includes('matches no streams')) {
    return new AppError('empty-audio', `The ${input.format} file has no sound track.`, {
      cause: caught,
      details,
    });
  }
  if (text.includes('timeout')) {
    return new AppError(
      'undecodable-audio',
      `Decoding the ${input.format} recording took more than ${timeLimitSeconds} s and was stopped.`,
      { cause: caught, details },
    );
  }
  return new AppError('undecodable-audio', `ffmpeg cannot decode this ${input.format} recording.`, {
    cause: caught,
    details,
  });
}

/** Runs ffmpeg on the file and passes its samples on as they come. */
async function run(
  file: string,
  input: FfmpegInput,
  builder: ClipBuilder,
  { maxSeconds, signal }: DecodeRequest,
  { ffmpegPath }: FfmpegOptions,
): Promise<void> {
  const command = ffmpeg({ source: file, timeout: timeLimitSeconds });
  if (ffmpegPath !== undefined) command.setFfmpegPath(ffmpegPath);
  command
    .inputOptions(['-protocol_whitelist', 'file,pipe', '-f', input.demuxer])
    .inputOptions(['-nostdin', '-nostats', '-threads', '1', '-max_alloc', String(maxAllocationBytes)])
    .outputOptions(['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1', '-threads', '1'])
    .outputOptions(['-t', String(maxSeconds + overrunSeconds), '-c:a', 'pcm_f32le', '-f', 'wav']);

  const sound = new PassThrough();
  const stop = (): void => {
    command.kill('SIGKILL');
  };
  signal?.addEventListener('abort', stop, { once: true });
  let codec: string | undefined;
  const ended = new Promise<void>((resolve, reject) => {
    command.on('end', () => {
      resolve();
    });
    command.on('error', reject);
  });
  // A failure also ends the sound, at a time when perhaps nobody reads it yet.
  sound.on('error', () => undefined);
  ended.catch((error: unknown) => sound.destroy(error instanceof Error ? error : new Error(String(error))));
  const started = new Promise<void>((resolve) => {
    command.on('codecData', (data: { audio?: string }) => {
      codec = data.audio?.split(/[ ,]/)[0];
      resolve();
    });
  });
  try {
    command.pipe(sound, { end: true });
    await Promise.race([started, ended]);
    const wav = createWavStream((header) => {
      const { sampleRate, channels } = header;
      builder.begin({ format: input.format, codec: codec ?? input.format, sampleRate, channels });
    }, builder);
    for await (const chunk of sound) wav.push(chunk as Uint8Array);
    await ended;
    wav.finish();
  } catch (error) {
    if (signal?.aborted === true)
      throw new AppError('cancelled', 'Decoding was called off.', { cause: error });
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await ended.catch(() => undefined);
  }
}

/**
 * Decodes whatever the machine's ffmpeg can. The recording goes through a temporary file, because an MP4 may keep
 * its index at the end; only its owner can read it, and it is gone when this returns. ffmpeg opens nothing else: no network, one
 * container, chosen by content.
 * @throws AppError unsupported-media (no ffmpeg), undecodable-audio, empty-audio, cancelled, and what the builder throws
 */
export async function decodeWithFfmpeg(
  bytes: Uint8Array,
  input: FfmpegInput,
  builder: ClipBuilder,
  request: DecodeRequest,
  options: FfmpegOptions,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-recording-'));
  try {
    const file = join(folder, 'recording');
    await writeFile(file, bytes, { mode: 0o600, flag: 'wx' });
    await run(file, input, builder, request, options);
  } catch (error) {
    throw translate(error, input);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
