import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { Classification } from '../../../shared/contracts/classification';
import type { EarshotClient } from '../../../shared/client/client';
import { AppError } from '../../../shared/errors/app-error';
import type { CommandIo } from '../output/command-io';
import type { ClassifyOptions } from '../arguments/command-line';
import { exitCodeOf, exitCodes } from '../output/exit-codes';
import { failureLine, classificationText } from '../output/lines';

/** Requests at a time: enough to keep the service busy, few enough to leave room for other clients. */
const maxConcurrent = 4;
const maxAttempts = 5;

/**
 * Classifies files and prints a line for each, in their order. Failures are printed on standard error.
 * @returns the exit status of the first file that failed, or 0
 */
export async function classifyCommand(
  client: EarshotClient,
  files: readonly string[],
  options: ClassifyOptions,
  io: CommandIo,
): Promise<number> {
  const answers: Promise<Classification>[] = [];
  let status: number = exitCodes.done;
  for (const [index, file] of files.entries()) {
    for (let next = answers.length; next < Math.min(files.length, index + maxConcurrent); next += 1) {
      const answer = classifyFile(client, files[next]!, options, io);
      // A rejection is handled below, when the loop reaches this file.
      answer.catch(() => undefined);
      answers.push(answer);
    }
    try {
      const answer = await answers[index]!;
      const line = options.json
        ? JSON.stringify({ file, ...answer })
        : `${file}: ${classificationText(answer)}`;
      io.output.write(`${line}\n`);
    } catch (caught) {
      const error = AppError.from(caught);
      if (error.code === 'internal' || io.signal.aborted) throw error;
      if (status === exitCodes.done) status = exitCodeOf(error);
      if (options.json) io.output.write(`${JSON.stringify({ file, error: errorFacts(error) })}\n`);
      else io.errors.write(`${failureLine(file, error)}\n`);
      // The service is not there, so the other files would fail too.
      if (error.code === 'unreachable') return status;
    }
  }
  return status;
}

async function classifyFile(
  client: EarshotClient,
  file: string,
  { top, hop }: ClassifyOptions,
  { input, signal }: CommandIo,
): Promise<Classification> {
  const bytes = await (file === '-' ? buffer(input) : readRecording(file));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.classify(new Uint8Array(bytes), { topK: top, hopSeconds: hop, signal });
    } catch (caught) {
      const { code, details } = AppError.from(caught);
      const busy = code === 'overloaded' || code === 'starting';
      if (!busy || attempt === maxAttempts) throw caught;
      // The service states when it expects to have room.
      await pause(Number(details['retryAfterSeconds'] ?? 1) * 1000, undefined, { signal });
    }
  }
}

async function readRecording(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const reasons: Partial<Record<string, string>> = {
      ENOENT: 'There is no such file.',
      EACCES: 'It may not be read.',
      EISDIR: 'It is a folder; name the files in it.',
    };
    const { code = '', message } = cause as NodeJS.ErrnoException;
    throw new AppError('not-found', reasons[code] ?? message, { cause });
  }
}

function errorFacts({ code, message, details }: AppError): object {
  return { code, message, ...details };
}
