import { constants, openAsBlob } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Classification } from '../../../shared/contracts/classification';
import type { EarshotClient } from '../../../shared/client/client';
import { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type StatusLine } from '../../../shared/observability/status-line';
import type { CommandIo } from '../output/command-io';
import type { ClassifyOptions } from '../arguments/command-line';
import { exitCodeOf, exitCodes } from '../output/exit-codes';
import { failureLine, progressBar } from '../output/lines';
import { findRecordings, type Recording } from '../recordings/find-recordings';
import { openResults, type AnswerFormat, type Results } from '../recordings/results';

/** Requests at a time: enough to keep the service busy, few enough to leave room for other clients. */
const maxConcurrent = 4;
const maxAttempts = 5;
/** Formats that consist of events. */
const eventFormats: readonly AnswerFormat[] = ['csv', 'audacity', 'raven'];

/**
 * Classifies files, and folders with all below them, and writes the answers in their order. What an
 * earlier run has written to `--output` is not asked again, unless the file was changed since. Failures
 * are printed on standard error, and a progress bar where that is a terminal.
 * @returns 0 where every recording has an answer; else the exit code of the first that has none
 */
export async function classifyCommand(
  client: EarshotClient,
  paths: readonly string[],
  options: ClassifyOptions,
  io: CommandIo,
): Promise<number> {
  const recordings = await findRecordings(paths);
  const results = await openResults(options, recordings, io.output);
  const due = recordings.filter((recording) => !results.has(recording));
  const status = createStatusLine(io.errors);
  // Where answers are printed on a terminal they show the progress.
  const showsProgress = options.output !== undefined || io.output.isTTY !== true;
  const progress = (done: number): void => {
    if (showsProgress) status.update(progressBar(recordings.length - due.length + done, recordings.length));
  };
  try {
    return await classifyAll(client, due, { options, io, results, status, progress });
  } finally {
    status.close();
    await results.close();
  }
}

interface Run {
  readonly options: ClassifyOptions;
  readonly io: CommandIo;
  readonly results: Results;
  readonly status: StatusLine;
  /** Shows how many are done. */
  readonly progress: (done: number) => void;
}

async function classifyAll(
  client: EarshotClient,
  recordings: readonly Recording[],
  { options, io, results, status, progress }: Run,
): Promise<number> {
  /** The answers that are awaited, of this recording and those behind it. */
  const awaited: Promise<Classification | AppError>[] = [];
  let asked = 0;
  let code: number = exitCodes.done;
  for (const [index, recording] of recordings.entries()) {
    progress(index);
    for (; asked < Math.min(recordings.length, index + maxConcurrent); asked += 1) {
      const answer = classifyFile(client, recordings[asked]!.file, options, io);
      awaited.push(answer.catch((caught: unknown) => AppError.from(caught)));
    }
    const answer = await awaited.shift()!;
    if (!(answer instanceof AppError)) {
      await results.add(recording, answer);
      continue;
    }
    if (isOwnFault(answer) || io.signal.aborted) throw answer;
    if (code === exitCodes.done) code = exitCodeOf(answer);
    if (options.format === 'json' && options.output === undefined) {
      io.output.write(`${JSON.stringify({ file: recording.file, error: errorFacts(answer) })}\n`);
    } else {
      status.print(failureLine(recording.file, answer));
    }
    // The service is not there, so the other files would fail too.
    if (answer.code === 'unreachable') return code;
  }
  progress(recordings.length);
  return code;
}

/** Whether an error is a fault of this program; one of the service comes with its status. */
function isOwnFault({ code, details }: AppError): boolean {
  return code === 'internal' && details['status'] === undefined;
}

async function classifyFile(
  client: EarshotClient,
  file: string,
  { top, hop, format, events }: ClassifyOptions,
  { input, signal }: CommandIo,
): Promise<Classification> {
  const recording = file === '-' ? new Uint8Array(await buffer(input)) : await openRecording(file);
  const asked = {
    topK: top,
    hopSeconds: hop,
    ...(events || eventFormats.includes(format) ? { events: true } : {}),
    signal,
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.classify(recording, asked);
    } catch (caught) {
      const { code, details } = AppError.from(caught);
      const isBusy = code === 'overloaded' || code === 'starting' || code === 'rate-limited';
      if (!isBusy || attempt === maxAttempts) throw caught;
      // The service states when it expects to have room.
      await pause(Number(details['retryAfterSeconds'] ?? 1) * 1000, undefined, { signal });
    }
  }
}

/** Opens a file, which is read only while it is sent. @throws AppError not-found */
async function openRecording(file: string): Promise<Blob> {
  try {
    if ((await stat(file)).isDirectory()) throw new AppError('not-found', 'It is a folder.');
    await access(file, constants.R_OK);
    return await openAsBlob(file);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const reasons: Partial<Record<string, string>> = {
      ENOENT: 'There is no such file.',
      EACCES: 'It may not be read.',
    };
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new AppError('not-found', reasons[code] ?? message, { cause });
  }
}

function errorFacts({ code, message, details }: AppError): object {
  return { code, message, ...details };
}
