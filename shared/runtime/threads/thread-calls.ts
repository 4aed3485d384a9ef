import type { ResourceLimits } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { cancellation } from '../../errors/cancellation';
import { fromFailure, type CallMessage, type FromThread } from './call-messages';
import { Thread } from './thread';

/**
 * Runs work that would block the event loop on a thread: one call at a time, in the order of arrival.
 */
export interface ThreadCalls<Call, Answer> {
  /**
   * Runs a call on the thread. When `signal` aborts, a running call is told to stop and is waited for.
   * @throws what the thread threw; the signal's reason when it aborts
   */
  call(call: Call, signal?: AbortSignal): Promise<Answer>;
  /** Cancels all calls that are not done, and resolves when the thread has ended by itself. */
  close(): Promise<void>;
}

export interface ThreadCallsOptions {
  /** The module that the thread runs; it calls `answerCalls`. */
  readonly file: string;
  readonly resourceLimits: ResourceLimits;
  /** A thread without calls for this long ends, which frees its memory. 10 s by default. */
  readonly idleMs?: number;
}

interface Pending<Call, Answer> {
  readonly call: Call;
  readonly callId: number;
  readonly signal: AbortSignal;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const defaultIdleMs = 10_000;

/** Starts a thread at the first call and ends it when it has been idle for `idleMs`. */
export function createThreadCalls<Call, Answer>(options: ThreadCallsOptions): ThreadCalls<Call, Answer> {
  const { file, resourceLimits, idleMs = defaultIdleMs } = options;
  const waiting: Pending<Call, Answer>[] = [];
  const stop = new AbortController();
  let thread: Thread | undefined;
  let current: Pending<Call, Answer> | undefined;
  let lastCallId = 0;
  let idle: NodeJS.Timeout | undefined;

  const start = (): Thread => {
    const started = new Thread(file, undefined, { resourceLimits });
    started.worker.on('message', (message: FromThread<Answer>) => {
      const done = current;
      current = undefined;
      if (message.kind === 'answer') done?.resolve(message.answer);
      else done?.reject(done.signal.aborted ? cancellation(done.signal) : fromFailure(message.failure));
      next();
    });
    const onExit = (cause: unknown): void => {
      if (thread !== started) return;
      thread = undefined;
      const lost = current;
      current = undefined;
      lost?.reject(new AppError('internal', 'A thread was lost in the middle of its work.', { cause }));
      next();
    };
    started.worker.on('error', onExit);
    started.worker.on('exit', (code) => {
      onExit(new Error(`It ended with ${code}.`));
    });
    return started;
  };
  const dismiss = async (): Promise<void> => {
    const dismissed = thread;
    thread = undefined;
    await dismissed?.end();
  };
  const next = (): void => {
    if (current !== undefined) return;
    clearTimeout(idle);
    current = waiting.shift();
    if (current === undefined) {
      thread?.worker.unref();
      idle = setTimeout(() => void dismiss(), idleMs).unref();
      return;
    }
    const { call, callId, reject } = current;
    try {
      thread ??= start();
      thread.worker.ref();
      thread.worker.postMessage({ call, callId } satisfies CallMessage<Call>);
    } catch (caught) {
      // The thread could not be started.
      current = undefined;
      reject(caught);
      next();
    }
  };
  const giveUp = (pending: Pending<Call, Answer>): void => {
    if (pending === current) thread?.cancelUpTo(pending.callId);
    const position = waiting.indexOf(pending);
    if (position < 0) return;
    waiting.splice(position, 1);
    pending.reject(cancellation(pending.signal));
  };

  return {
    call: (call, signal) => {
      const combined = AbortSignal.any(signal === undefined ? [stop.signal] : [stop.signal, signal]);
      if (combined.aborted) return Promise.reject(cancellation(combined));
      return new Promise<Answer>((resolve, reject) => {
        const abandon = (): void => {
          giveUp(pending);
        };
        const settled = <T>(settle: (value: T) => void) => {
          return (value: T): void => {
            combined.removeEventListener('abort', abandon);
            settle(value);
          };
        };
        const pending: Pending<Call, Answer> = {
          call,
          callId: ++lastCallId,
          signal: combined,
          resolve: settled(resolve),
          reject: settled(reject),
        };
        combined.addEventListener('abort', abandon, { once: true });
        waiting.push(pending);
        next();
      });
    },
    close: async () => {
      stop.abort(new AppError('draining', 'The service is shutting down.'));
      clearTimeout(idle);
      await dismiss();
      // A thread that hangs gives no answer.
      current?.reject(cancellation(stop.signal));
    },
  };
}
