import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { AppError, type ErrorCode } from '../errors/app-error';
import type { Version } from '../registry/registry';
import type { Measured } from './gate';
import type { MeasureOptions } from './measure-version';

/** The message to the process. */
export interface MeasureOrder {
  readonly candidate: Version;
  readonly current: Version | undefined;
  readonly how: MeasureOptions;
}

export type MeasureReply =
  | { readonly measured: Measured }
  | { readonly code: ErrorCode; readonly message: string; readonly details: AppError['details'] };

/**
 * Loading and measuring two versions take up to `limitMs` each; `startMs` is for the start of the
 * process.
 */
const timedSteps = 4;
const startMs = 10_000;
/** Characters of its output that are kept for an error message. */
const maxOutputChars = 600;

/**
 * Runs `measureVersion` in a child process. An untested candidate may hang or crash; the child can be
 * killed then, while this process goes on serving.
 * @param signal kills it
 * @throws AppError as measureVersion does; engine-unavailable when the process dies
 */
export async function measureInProcess(
  candidate: Version,
  current: Version | undefined,
  how: MeasureOptions,
  signal?: AbortSignal,
): Promise<Measured> {
  const child = fork(join(__dirname, 'measure-worker.js'), [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const timer = setTimeout(kill, timedSteps * how.limitMs + startMs);
  signal?.addEventListener('abort', kill);
  try {
    const reply = await replyOf(child, { candidate, current, how });
    if ('measured' in reply) return reply.measured;
    throw new AppError(reply.code, reply.message, { details: reply.details });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', kill);
    kill();
  }
}

async function replyOf(child: ChildProcess, order: MeasureOrder): Promise<MeasureReply> {
  let output = '';
  const failed = once(child, 'error').then(([cause]) => {
    throw cause;
  });
  failed.catch(() => undefined);
  // Without free descriptors for its pipes the child does not start, and `stderr` is missing.
  if (child.pid === undefined) return failed;
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-maxOutputChars);
  });
  const onDeath = once(child, 'close').then(([code, signal]) => {
    const what = `The process that measures a version ended with ${String(signal ?? code)}.`;
    throw new AppError('engine-unavailable', what, { cause: new Error(output.trim()) });
  });
  onDeath.catch(() => undefined);
  // Sending fails when the child exits at once; its exit is reported anyway.
  child.send(order, () => undefined);
  const [reply] = (await Promise.race([once(child, 'message'), onDeath])) as [MeasureReply];
  return reply;
}
