import { Worker, type ResourceLimits } from 'node:worker_threads';
import { AppError } from '../errors/app-error';
import { cancellation } from '../errors/cancellation';
import { fromFailure, type FromThread, type ToThread } from './call-messages';

/** Work that would hold the event loop up, done on a thread: one call at a time, in the order in which they came. */
export interface ThreadCalls<Call, Answer> {
  /**
   * Rejects with what the thread threw, and with the signal's reason when it aborts. A call that is worked on is told so, and
   * waited for.
   */
  call(call: Call, signal?: AbortSignal): Promise<Answer>;
  /** Calls off what is not done, and resolves when the thread has ended by itself. */
  close(): Promise<void>;
}

export interface ThreadCallsOptions {
  /** A module that calls `answerCalls`. */
  readonly file: string;
  readonly resourceLimits: ResourceLimits;
  /** A thread that is not called for so long ends, and gives its memory back. */
  readonly idleMs?: number;
}

interface Pending<Call, Answer> {
  readonly call: Call;
  readonly signal: AbortSignal | undefined;
  readonly unwanted: Int32Array<SharedArrayBuffer>;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const defaultIdleMs = 10_000;

/**
 * A thread that is started by the first call, and ends when it has had none for a while. It is never terminated: that is
 * not safe while it is in native code, and what it writes would be left half done.
 */
export function createThreadCalls<Call, Answer>(options: ThreadCallsOptions): ThreadCalls<Call, Answer> {
  const { file, resourceLimits, idleMs = defaultIdleMs } = options;
  const waiting: Pending<Call, Answer>[] = [];
  const stop = new AbortController();
  const ends = new Set<Promise<void>>();
  let worker: Worker | undefined;
  let current: Pending<Call, Answer> | undefined;
  let idle: NodeJS.Timeout | undefined;

  const start = (): Worker => {
    const started = new Worker(file, { resourceLimits });
    started.on('message', (message: FromThread<Answer>) => {
      const done = current;
      current = undefined;
      if (message.kind === 'answer') done?.resolve(message.answer);
      else done?.reject(done.signal?.aborted ? cancellation(done.signal) : fromFailure(message.failure));
      next();
    });
    const gone = (cause: unknown): void => {
      if (worker !== started) return;
      worker = undefined;
      const lost = current;
      current = undefined;
      lost?.reject(new AppError('internal', 'A thread was lost in the middle of its work.', { cause }));
      next();
    };
    started.on('error', gone);
    const ended = new Promise<void>((resolve) => {
      started.once('exit', (code) => {
        gone(new Error(`It ended with ${code}.`));
        resolve();
      });
    });
    ends.add(ended);
    void ended.then(() => ends.delete(ended));
    return started;
  };
  const dismiss = (): void => {
    worker?.postMessage({ kind: 'end' } satisfies ToThread<Call>);
    worker = undefined;
  };
  const next = (): void => {
    if (current !== undefined) return;
    current = waiting.shift();
    clearTimeout(idle);
    if (current === undefined) {
      worker?.unref();
      if (stop.signal.aborted) dismiss();
      else idle = setTimeout(dismiss, idleMs).unref();
      return;
    }
    const { call, unwanted } = current;
    try {
      worker ??= start();
      worker.ref();
      worker.postMessage({ kind: 'call', call, unwanted } satisfies ToThread<Call>);
    } catch (caught) {
      // No thread is to be had.
      const { reject } = current;
      current = undefined;
      reject(caught);
      next();
    }
  };
  const giveUp = (pending: Pending<Call, Answer>, reason: AppError): void => {
    Atomics.store(pending.unwanted, 0, 1);
    const place = waiting.indexOf(pending);
    if (place < 0) return;
    waiting.splice(place, 1);
    pending.reject(reason);
  };

  return {
    call: (call, signal) => {
      const either = AbortSignal.any(signal === undefined ? [stop.signal] : [stop.signal, signal]);
      if (either.aborted) return Promise.reject(cancellation(either));
      return new Promise<Answer>((resolve, reject) => {
        const unwanted = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
        const abandon = (): void => {
          giveUp(pending, cancellation(either));
        };
        const settled = <T>(settle: (value: T) => void) => {
          return (value: T): void => {
            either.removeEventListener('abort', abandon);
            settle(value);
          };
        };
        const pending: Pending<Call, Answer> = {
          ...{ call, signal: either, unwanted },
          resolve: settled(resolve),
          reject: settled(reject),
        };
        either.addEventListener('abort', abandon, { once: true });
        waiting.push(pending);
        next();
      });
    },
    close: async () => {
      stop.abort(new AppError('draining', 'The service is shutting down.'));
      if (current === undefined) {
        clearTimeout(idle);
        dismiss();
      }
      await Promise.all(ends);
    },
  };
}
