import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { AppError, type ErrorCode } from '../errors/app-error';
import type { Version } from '../registry/registry';
import type { Measured } from './gate';
import type { MeasureOptions } from './measure-version';

/** What the process is told. */
export interface MeasureOrder {
  readonly candidate: Version;
  readonly current: Version | undefined;
  readonly how: MeasureOptions;
}

export type MeasureReply =
  | { readonly measured: Measured }
  | { readonly code: ErrorCode; readonly message: string; readonly details: AppError['details'] };

/** Two versions may be loaded, and measured, for `limitMs` each; the rest is the process's own start. */
const limits = 4;
const startMs = 10_000;
/** Of what it says before it dies. */
const keptOutput = 600;

/**
 * As `measureVersion`, in a process of its own: a candidate is something new, and what it is tried in may hang, or die; then it is killed,
 * which this one, with all that it serves, would not outlive.
 * @throws AppError as measureVersion does; engine-unavailable when the process dies
 */
export async function measureInProcess(
  candidate: Version,
  current: Version | undefined,
  how: MeasureOptions,
): Promise<Measured> {
  const child = fork(join(__dirname, 'measure-worker.js'), [], {
    ...{ execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' },
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limits * how.limitMs + startMs);
  try {
    const reply = await replyOf(child, { candidate, current, how });
    if ('measured' in reply) return reply.measured;
    throw new AppError(reply.code, reply.message, { details: reply.details });
  } finally {
    clearTimeout(timer);
    child.kill('SIGKILL');
  }
}

async function replyOf(child: ChildProcess, order: MeasureOrder): Promise<MeasureReply> {
  let output = '';
  const failed = once(child, 'error').then(([cause]) => {
    throw cause;
  });
  failed.catch(() => undefined);
  // Without descriptors for its pipes there is no process, and no stream of it.
  if (child.pid === undefined) return failed;
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-keptOutput);
  });
  const dead = once(child, 'close').then(([code, signal]) => {
    const what = `The process that measures a version ended with ${String(signal ?? code)}.`;
    throw new AppError('engine-unavailable', what, { cause: new Error(output.trim()) });
  });
  dead.catch(() => undefined);
  // A child that dies at once cannot be told: its end says so.
  child.send(order, () => undefined);
  const [reply] = (await Promise.race([once(child, 'message'), dead])) as [MeasureReply];
  return reply;
}
