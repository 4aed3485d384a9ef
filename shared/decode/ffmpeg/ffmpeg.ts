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
import { createMkaStream } from '../containers/mka-stream';
import { encryptedSoundTracks } from '../containers/mp4-boxes';
import { createRecordingFolder } from './recording-folder';
import { maxLeadSeconds } from '../containers/track-clock';
import { TrackSound } from '../containers/track-sound';

/** The only file that knows fluent-ffmpeg, which is no longer developed. */

/** What is known of a recording before ffmpeg looks at it; nothing, where the sniffer knows nothing. */
export interface FfmpegInput {
  /** As the clip's source will name it. */
  readonly format?: string;
  /** What its sound is called, where that is why ffmpeg is needed. */
  readonly codec?: string | undefined;
  /** ffmpeg's name for the container; without it, ffmpeg finds out, among those that open no other files. */
  readonly demuxer?: string;
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
/** A jump of the container's clock is told by the clip's builder, not evened out by ffmpeg, for which it is a fault from 10 s on. */
const maxJumpSeconds = 1_000_000;
/** Containers whose clock starts at 0 when the recording does. */
const clockedFromZero: ReadonlySet<string> = new Set(['mp4', 'matroska', 'webm']);
/**
 * All times are shifted by this, and back. Without a shift ffmpeg counts the time of MPEG's streams from the first sound on
 * instead of from the first picture, so that sound which begins late would come too early.
 */
const shiftSeconds = 0.001;
/** Tracks decoded in search of one that is not silent. */
const maxTracksTried = 8;

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

interface Recording {
  readonly file: string;
  readonly input: FfmpegInput;
  readonly request: DecodeRequest;
  readonly options: FfmpegOptions;
  /** When decoding must be over, by `performance.now()`. */
  readonly deadlineMs: number;
}

/** What fluent-ffmpeg's types leave out. */
type RunningCommand = ffmpeg.FfmpegCommand & { readonly ffmpegProc: ChildProcess };

/** How decoding one track ended. */
interface Attempt {
  readonly report: FfmpegReport;
  /** What the sound went to; undefined where the track was not wanted. */
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
 * Runs ffmpeg for one track and passes its sound on as it comes.
 * @param listen asked once the tracks are known; undefined: this track is not wanted
 * @throws what the sound's taker throws, and AppError cancelled
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
  // Read to its end it stays open: fluent-ffmpeg takes a process that exits 20 ms after its output was closed for one that failed.
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
  // A failure also ends the output, at a time when perhaps nobody reads it yet.
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
 * Decodes the first track that can be: of those that are on by default, else of all. A silent one is passed over
 * while there are others, and taken if all are.
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

  // Nearly all recordings have one track: it is decoded at once, while the list of tracks is being read.
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

/** @throws AppError where there is no sound, or ffmpeg failed on the way */
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
 * Decodes whatever the machine's ffmpeg can. The recording goes through a temporary file, because an MP4 may keep
 * its index at the end; only its owner can read it, and it is gone when this returns. ffmpeg opens nothing else: no network,
 * and only containers that name no other files. Sound keeps the time that the container's clock gives it.
 * @throws AppError unsupported-media (no ffmpeg, or not for this recording), undecodable-audio, empty-audio, cancelled, storage-full
 *   or internal (the machine refused something), and what the builder throws
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
    // Removing a folder with all that is in it would take a descriptor, of which there may be none.
    await rm(file, { force: true });
    await rmdir(folder);
  }
}
