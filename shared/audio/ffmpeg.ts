import { mkdtemp, open, rm, rmdir, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { AppError } from '../errors/app-error';
import { isMachineFault } from '../errors/machine-fault';
import type { DecodeRequest } from './clip';
import type { ClipBuilder } from './clip-builder';
import { createWavStream } from './wav-stream';

/** The only file that knows fluent-ffmpeg, which is no longer developed. */

export interface FfmpegInput {
  /** As the clip's source will name it. */
  readonly format: string;
  /** What its sound is called, where that is why ffmpeg is needed. */
  readonly codec?: string | undefined;
  /** ffmpeg's name for the container: it is not left to guess, for some of its guesses open other files. */
  readonly demuxer: string;
}

export interface FfmpegOptions {
  /** The program; without it, `FFMPEG_PATH` or the first `ffmpeg` on the PATH. */
  readonly ffmpegPath?: string;
}

/** Starting a process takes eight: pipes' both ends. Those of the one before may not be closed yet. */
const spawnDescriptors = 16;
const timeLimitSeconds = 30;
/** One allocation of ffmpeg's may not be larger, whatever a header claims. */
const maxAllocationBytes = 256 * 2 ** 20;
/** ffmpeg stops this much behind the longest clip, by which time the builder has refused it. */
const overrunSeconds = 1;

function missing({ format, codec }: FfmpegInput, cause: unknown): AppError {
  return new AppError(
    'unsupported-media',
    `This is a ${format} recording${codec === undefined ? '' : ` with ${codec} sound`}, which needs ffmpeg: install ffmpeg on the server, or send WAV, FLAC, MP3, Ogg Vorbis or Opus.`,
    { cause, details: { format } },
  );
}

/** A program that is not there, or may not be run. */
function isMissing(caught: unknown): boolean {
  const { code, syscall, message } = caught as NodeJS.ErrnoException;
  if (message === 'Cannot find ffmpeg') return true;
  return syscall?.startsWith('spawn') === true && (code === 'ENOENT' || code === 'EACCES');
}

/** The exit code of a program whose libraries cannot be loaded, and what ffmpeg says where the system refuses it something. */
const refusedBySystem =
  /exited with code 12[67]|Too many open files|Resource temporarily unavailable|Cannot allocate memory/;

/** ffmpeg ended on these bytes: with an exit code of its own, or in a signal that a defect of its causes. */
const endedOnRecording = /^ffmpeg (exited with code|was killed with signal SIG(SEGV|ABRT|FPE|ILL|BUS))/;

/** ffmpeg's own words stay in the cause: they name temporary files. */
function translate(caught: unknown, input: FfmpegInput): AppError {
  if (caught instanceof AppError || !(caught instanceof Error)) return AppError.from(caught);
  const text = caught.message;
  if (isMissing(caught)) return missing(input, caught);
  if (isMachineFault(caught) || refusedBySystem.test(text)) return AppError.from(caught);
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
  if (!endedOnRecording.test(text)) return AppError.from(caught);
  return new AppError('undecodable-audio', `ffmpeg cannot decode this ${input.format} recording.`, {
    cause: caught,
    details,
  });
}

/**
 * fluent-ffmpeg cannot bear a `spawn` that gets no pipes: what it throws then says nothing of the cause, and is thrown where nobody
 * catches it. Opening as many descriptors beforehand tells.
 * @throws the file system's error (EMFILE, ENFILE)
 */
async function assertDescriptors(file: string): Promise<void> {
  const handles: FileHandle[] = [];
  try {
    while (handles.length < spawnDescriptors) handles.push(await open(file));
  } finally {
    for (const handle of handles) await handle.close();
  }
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
 * @throws AppError unsupported-media (no ffmpeg), undecodable-audio, empty-audio, cancelled, storage-full or internal (the machine
 *   refused something), and what the builder throws
 */
export async function decodeWithFfmpeg(
  bytes: Uint8Array,
  input: FfmpegInput,
  builder: ClipBuilder,
  request: DecodeRequest,
  options: FfmpegOptions,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-recording-'));
  const file = join(folder, 'recording');
  try {
    await writeFile(file, bytes, { mode: 0o600, flag: 'wx' });
    await assertDescriptors(file);
    await run(file, input, builder, request, options);
  } catch (error) {
    throw translate(error, input);
  } finally {
    // Removing a folder with all that is in it would take a descriptor, of which there may be none.
    await rm(file, { force: true });
    await rmdir(folder);
  }
}
