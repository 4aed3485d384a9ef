import type { ChildProcess } from 'node:child_process';
import { open, rm, rmdir, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { AppError } from '../../errors/app-error';
import type { DecodeRequest } from '../../signal/clip';
import type { ClipBuilder } from '../bytes/clip-builder';
import { explainFailure, isOfRecording } from './ffmpeg-failure';
import { ffmpegDemuxers } from './ffmpeg-formats';
import { FfmpegReport, tracksToTry, type FfmpegTrack } from './ffmpeg-report';
import { createMkaStream } from './mka-stream';
import { encryptedSoundTracks } from '../containers/mp4-boxes';
import { createRecordingFolder } from './recording-folder';
import { maxLeadSeconds } from '../containers/track-clock';
import { TrackSound } from './track-sound';

/** This is the only file that uses fluent-ffmpeg, which is no longer maintained. */

/** What is known about a recording before ffmpeg runs; empty where its format was not detected. */
export interface FfmpegInput {
  /** The format to state in the clip's source. */
  readonly format?: string;
  /** The name of the codec, where it is the reason for using ffmpeg. */
  readonly codec?: string | undefined;
  /**
   * ffmpeg's name for the container; without it ffmpeg detects it among those that open no other files.
   */
  readonly demuxer?: string;
}

export interface FfmpegOptions {
  /** Path of the program; without it `FFMPEG_PATH`, or the first `ffmpeg` on the PATH. */
  readonly ffmpegPath?: string;
}

/**
 * Starting a process takes eight descriptors for both ends of its pipes. Those of the previous process
 * may still be open.
 */
const spawnDescriptors = 16;
const timeLimitSeconds = 30;
/** Maximum size of one allocation of ffmpeg, whatever a header states. */
const maxAllocationBytes = 256 * 2 ** 20;
/**
 * Jumps of the container's clock are handled by the clip builder. ffmpeg would treat them as an error
 * from 10 s on.
 */
const maxJumpSeconds = 1_000_000;
/** Containers whose clock starts at 0 at the start of the recording. */
const clockedFromZero: ReadonlySet<string> = new Set(['mp4', 'matroska', 'webm']);
/**
 * Shift that is added to all timestamps and subtracted again. Without it ffmpeg counts the time of MPEG
 * streams from the first audio and not from the first video, so that audio with a late start would come
 * too early.
 */
const shiftSeconds = 0.001;
/** Maximum number of tracks that are decoded in search of one that is not silent. */
const maxTracksTried = 8;

/**
 * Checks for free descriptors by opening as many. When spawn gets no pipes, fluent-ffmpeg throws an
 * error without the cause, where it cannot be caught.
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

interface Recording {
  readonly file: string;
  readonly input: FfmpegInput;
  readonly request: DecodeRequest;
  readonly options: FfmpegOptions;
  /** When decoding must be finished, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
}

/** A property that the types of fluent-ffmpeg lack. */
type RunningCommand = ffmpeg.FfmpegCommand & { readonly ffmpegProc: ChildProcess };

/** The result of decoding one track. */
interface Attempt {
  readonly report: FfmpegReport;
  /** Receiver of the samples; undefined where the track was not selected. */
  readonly sound: TrackSound | undefined;
  readonly failure: unknown;
}

function createCommand({ file, input, options, deadlineMs }: Recording, track: string): ffmpeg.FfmpegCommand {
  const timeout = Math.max(0.001, (deadlineMs - performance.now()) / 1000);
  const command = ffmpeg({ source: file, timeout });
  if (options.ffmpegPath !== undefined) command.setFfmpegPath(options.ffmpegPath);
  if (input.demuxer !== undefined) command.inputOptions(['-f', input.demuxer]);
  return command
    .inputOptions(['-protocol_whitelist', 'file', '-format_whitelist', ffmpegDemuxers.join(',')])
    .inputOptions(['-nostdin', '-nostats', '-threads', '1', '-max_alloc', String(maxAllocationBytes)])
    .inputOptions(['-dts_delta_threshold', String(maxJumpSeconds), '-itsoffset', String(shiftSeconds)])
    .outputOptions(['-map', track, '-vn', '-sn', '-dn', '-map_metadata', '-1', '-threads', '1'])
    .outputOptions(['-c:a', 'pcm_f32le', '-f', 'matroska']);
}

/**
 * Runs ffmpeg for one track and passes its samples on as they arrive.
 * @param listen called once the tracks are known; returns undefined when this track is not selected
 * @throws the receiver's errors, and AppError cancelled
 */
async function attempt(
  recording: Recording,
  track: string,
  listen: (report: FfmpegReport) => TrackSound | undefined,
): Promise<Attempt> {
  const { signal } = recording.request;
  const command = createCommand(recording, track);
  command.on('start', () => {
    const { pid } = (command as RunningCommand).ffmpegProc;
    if (pid !== undefined) recording.request.onChild?.(pid);
  });
  const report = new FfmpegReport();
  // Stays open after its end: fluent-ffmpeg reports a failure for a process that exits 20 ms after its
  // output was closed.
  const output = new PassThrough({ autoDestroy: false });
  const stop = (): void => {
    command.kill('SIGKILL');
  };
  signal?.addEventListener('abort', stop, { once: true });
  const ended = new Promise<void>((resolve, reject) => {
    command.on('end', () => {
      resolve();
    });
    command.on('error', reject);
  });
  const begun = new Promise<void>((resolve) => {
    command.on('stderr', (line: string) => {
      report.note(line);
      if (report.hasBegun) resolve();
    });
  });
  // A failure also ends the output, possibly while nobody reads it yet.
  output.on('error', () => undefined);
  ended.catch((error: unknown) => output.destroy(error instanceof Error ? error : new Error(String(error))));
  const failureOf = (error: unknown): unknown => {
    if (signal?.aborted === true)
      throw new AppError('cancelled', 'Decoding was called off.', { cause: error });
    if (error instanceof AppError) throw error;
    return error;
  };
  try {
    command.pipe(output, { end: true });
    const early = await Promise.race([begun, ended]).catch(failureOf);
    const sound = early === undefined && report.hasBegun ? listen(report) : undefined;
    if (sound === undefined) return { report, sound, failure: early };
    const stream = createMkaStream(sound);
    const failure = await passOn(output, ended, stream).catch(failureOf);
    return { report, sound, failure };
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await ended.catch(() => undefined);
  }
}
async function passOn(
  output: PassThrough,
  ended: Promise<void>,
  stream: { push(chunk: Uint8Array): void },
): Promise<undefined> {
  for await (const chunk of output) stream.push(chunk as Uint8Array);
  await ended;
  return undefined;
}

/**
 * Decodes the first usable track: a default track, or else any. A silent track is skipped while there
 * are others, and used if all are silent.
 */
async function decodeTracks(
  recording: Recording,
  encrypted: readonly boolean[],
  builder: ClipBuilder,
): Promise<void> {
  const { input, request, deadlineMs } = recording;
  const candidatesOf = ({ tracks }: FfmpegReport): FfmpegTrack[] =>
    tracksToTry(tracks, encrypted).slice(0, maxTracksTried);
  const soundOf = (track: FfmpegTrack, report: FfmpegReport): TrackSound => {
    const format = input.format ?? report.format ?? 'unknown';
    const isLate =
      clockedFromZero.has(format) && report.startSeconds > 0 && report.startSeconds <= maxLeadSeconds;
    return new TrackSound(builder, {
      format,
      codec: track.codec ?? format,
      leadSeconds: (isLate ? report.startSeconds : 0) - shiftSeconds,
      mayBeSilent: candidatesOf(report).length > 1,
      maxSeconds: request.maxSeconds,
    });
  };

  // Nearly all recordings have one track, so it is decoded at once, while the list of tracks is being
  // read.
  const first = await attempt(recording, '0:a:0', (report) => {
    const [best] = report.isGuess ? [] : candidatesOf(report);
    return best !== undefined && best === report.tracks[0] ? soundOf(best, report) : undefined;
  });
  const attempts = [first];
  const others = candidatesOf(first.report).filter((track) => track !== first.report.tracks[0]);
  for (const track of first.report.isGuess ? [] : others) {
    const { sound, failure } = attempts.at(-1)!;
    const isOver = sound?.isHeard === true || (failure !== undefined && !isOfRecording(failure));
    if (isOver || performance.now() > deadlineMs) break;
    attempts.push(await attempt(recording, `0:${track.index}`, (report) => soundOf(track, report)));
  }
  conclude(attempts, recording, encrypted);
}

/** @throws AppError where there is no audio, or ffmpeg failed on the way */
function conclude(attempts: readonly Attempt[], { input }: Recording, encrypted: readonly boolean[]): void {
  const last = attempts.at(-1)!;
  const silent = attempts.find(({ sound }) => sound?.isSilent === true);
  if (last.sound?.isHeard !== true && silent?.sound !== undefined) {
    silent.sound.release();
    return;
  }
  if (last.sound?.isHeard === true && last.failure === undefined) return;
  throw explainFailure(last.failure, {
    input,
    report: last.report,
    encrypted,
    timeLimitSeconds,
  });
}

/**
 * Decodes all formats of the installed ffmpeg. The recording is written to a temporary file, because an
 * MP4 may have its index at the end. Only the owner can read the file, and it is removed before this
 * returns. ffmpeg opens nothing else: no network, and only containers that name no other files. The
 * audio keeps the times of the container's clock.
 * @throws AppError unsupported-media (no ffmpeg, or not for this recording), undecodable-audio,
 * empty-audio, cancelled, storage-full or internal (the machine refused something), and the errors of
 * the builder
 */
export async function decodeWithFfmpeg(
  bytes: Uint8Array,
  input: FfmpegInput,
  builder: ClipBuilder,
  request: DecodeRequest,
  options: FfmpegOptions,
): Promise<void> {
  const folder = await createRecordingFolder();
  const file = join(folder, 'recording');
  const deadlineMs = performance.now() + timeLimitSeconds * 1000;
  try {
    await writeFile(file, bytes, { mode: 0o600, flag: 'wx' });
    await assertDescriptors(file);
    const encrypted = input.format === 'mp4' ? encryptedSoundTracks(bytes) : [];
    await decodeTracks({ file, input, request, options, deadlineMs }, encrypted, builder);
  } finally {
    // Removing a folder recursively needs a descriptor, and there may be none.
    await rm(file, { force: true });
    await rmdir(folder);
  }
}
