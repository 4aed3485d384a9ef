import { AppError } from '../../errors/app-error';
import { isMachineFault } from '../../errors/machine-fault';
import type { FfmpegReport } from './ffmpeg-report';

/** What is known about a recording from which ffmpeg got no audio. */
export interface FfmpegFailure {
  /**
   * The container, and the codec if it is the reason for using ffmpeg, as detected; empty where unknown.
   */
  readonly input: { readonly format?: string; readonly codec?: string | undefined };
  /** The output of ffmpeg. */
  readonly report: FfmpegReport;
  /** Whether each audio track is encrypted; empty where unknown. */
  readonly encrypted: readonly boolean[];
  readonly timeLimitSeconds: number;
}

const howToSend = 'send WAV, FLAC, MP3, Ogg Vorbis, Opus, M4A or WebM';

function refused(failure: FfmpegFailure, cause: unknown, message: string): AppError {
  const format = formatOf(failure);
  return new AppError('unsupported-media', message, { cause, ...(format && { details: { format } }) });
}

function formatOf({ input, report }: FfmpegFailure): string | undefined {
  return input.format ?? report.format;
}

function missing(failure: FfmpegFailure, cause: unknown): AppError {
  const { format, codec } = failure.input;
  const what =
    format === undefined
      ? 'This is no recording that can be read without'
      : `This recording (${format}${codec === undefined ? '' : ` with ${codec} sound`}) needs`;
  return refused(
    failure,
    cause,
    `${what} ffmpeg: install ffmpeg on the server, or send WAV, FLAC, MP3, Ogg Vorbis or Opus.`,
  );
}

/** Tells whether the program is missing or not executable. */
function isMissing(caught: unknown): boolean {
  const { code, syscall, message } = caught as NodeJS.ErrnoException;
  if (message === 'Cannot find ffmpeg') return true;
  return syscall?.startsWith('spawn') === true && (code === 'ENOENT' || code === 'EACCES');
}

/**
 * Matches the exit code of a program whose libraries cannot be loaded, and ffmpeg's messages for refused
 * system calls.
 */
const refusedBySystem =
  /exited with code 12[67]|Too many open files|Resource temporarily unavailable|Cannot allocate memory/;

/**
 * Matches an ffmpeg that failed on these bytes: with its own exit code, or with the signal of a crash.
 */
const endedOnRecording = /^ffmpeg (exited with code|was killed with signal SIG(SEGV|ABRT|FPE|ILL|BUS))/;

/** Tells whether ffmpeg failed because of the recording; then another of its tracks may work. */
export function isOfRecording(caught: unknown): boolean {
  return (
    caught instanceof Error && !refusedBySystem.test(caught.message) && endedOnRecording.test(caught.message)
  );
}

/** Returns the names of the codecs that ffmpeg does not know, as the container names them. */
function undecodableCodecs({ tracks }: FfmpegReport): string {
  return [...new Set(tracks.map(({ codec, tag }) => codec ?? tag ?? 'unknown'))].join(', ');
}

/** Derives the error from ffmpeg's messages; undefined where they contain nothing known. */
function explainReport(failure: FfmpegFailure, cause: unknown): AppError | undefined {
  const { report, encrypted } = failure;
  const { text, tracks } = report;
  const format = formatOf(failure) ?? 'this';
  const undecodable = (message: string): AppError =>
    new AppError('undecodable-audio', message, { cause, details: { format } });
  if (text.includes('moov atom not found')) {
    return undecodable(
      `The ${format} recording was never finished: its index (moov), which is written last, is missing. Record it again, or restore the index with a repair tool.`,
    );
  }
  if (/corresponding trex|no tfhd was found/.test(text)) {
    return undecodable(
      `This is a fragment of a longer ${format} recording: its beginning (moov), which says how its sound is coded, is missing. Send it with the first segment in front.`,
    );
  }
  const isLocked = tracks.length > 0 && encrypted.length > 0 && encrypted.every(Boolean);
  if (isLocked || /activation_bytes|decryption key|DRM/.test(text)) {
    return refused(
      failure,
      cause,
      `The ${format} recording is encrypted (copy protection): ${howToSend}, without it.`,
    );
  }
  if (
    tracks.length > 0 &&
    (/[Dd]ecoder.*not found|no decoder found/.test(text) || !tracks.some(({ codec }) => codec))
  ) {
    const codecs = undecodableCodecs(report);
    return refused(
      failure,
      cause,
      `The sound of this ${format} recording is coded as ${codecs}, which the ffmpeg here cannot decode: ${howToSend}.`,
    );
  }
  if (text.includes('matches no streams')) {
    return new AppError('empty-audio', `The ${format} file has no sound track.`, {
      cause,
      details: { format },
    });
  }
  return undefined;
}

/**
 * Derives the error from a fault of the machine or program, or a timeout; undefined where the recording
 * is the cause.
 */
function explainProcess(failure: FfmpegFailure, caught: Error): AppError | undefined {
  if (isMissing(caught)) return missing(failure, caught);
  if (isMachineFault(caught) || refusedBySystem.test(caught.message)) return AppError.from(caught);
  if (caught.message.includes('timeout')) {
    const format = formatOf(failure);
    const message = `Decoding the ${format ?? 'unknown'} recording took more than ${failure.timeLimitSeconds} s and was stopped.`;
    return new AppError('undecodable-audio', message, { cause: caught, details: { format } });
  }
  return endedOnRecording.test(caught.message) ? undefined : AppError.from(caught);
}

/**
 * Returns the error for a recording from which ffmpeg got no audio. ffmpeg's messages stay in the cause,
 * because they name temporary files.
 * @param caught the error of its process; undefined: it ended normally
 */
export function explainFailure(caught: unknown, failure: FfmpegFailure): AppError {
  if (caught !== undefined && !(caught instanceof Error)) return AppError.from(caught);
  const ofProcess = caught && explainProcess(failure, caught);
  if (ofProcess !== undefined) return ofProcess;
  const { input, report } = failure;
  const cause = caught ?? new Error(report.text);
  if (input.format === undefined && (report.isGuess || report.format === undefined)) {
    return refused(failure, cause, `This is not a sound file known here; ${howToSend}.`);
  }
  const explained = explainReport(failure, cause);
  if (explained !== undefined) return explained;
  const details = { format: formatOf(failure) };
  const isEmpty = caught === undefined && !/error|invalid|corrupt/i.test(report.text);
  return isEmpty
    ? new AppError('empty-audio', `The ${details.format} recording holds no sound.`, { cause, details })
    : new AppError('undecodable-audio', `ffmpeg cannot decode this ${details.format} recording.`, {
        cause,
        details,
      });
}
