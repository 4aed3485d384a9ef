import type { ResourceLimits } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { cancellation } from '../../errors/cancellation';
import { fromFailure, type CallMessage, type FromThread } from './call-messages';
import { Thread } from './thread';

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
  readonly piece: number;
  readonly signal: AbortSignal;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const defaultIdleMs = 10_000;

/** A thread that is started by the first call, and ends when it has had none for a while. */
export function createThreadCalls<Call, Answer>(options: ThreadCallsOptions): ThreadCalls<Call, Answer> {
  const { file, resourceLimits, idleMs = defaultIdleMs } = options;
  const waiting: Pending<Call, Answer>[] = [];
  const stop = new AbortController();
  let thread: Thread | undefined;
  let current: Pending<Call, Answer> | undefined;
  let pieces = 0;
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
    const gone = (cause: unknown): void => {
      if (thread !== started) return;
      thread = undefined;
      const lost = current;
      current = undefined;
      lost?.reject(new AppError('internal', 'A thread was lost in the middle of its work.', { cause }));
      next();
    };
    started.worker.on('error', gone);
    started.worker.on('exit', (code) => {
      gone(new Error(`It ended with ${code}.`));
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
    const { call, piece, reject } = current;
    try {
      thread ??= start();
      thread.worker.ref();
      thread.worker.postMessage({ call, piece } satisfies CallMessage<Call>);
    } catch (caught) {
      // No thread is to be had.
      current = undefined;
      reject(caught);
      next();
    }
  };
  const giveUp = (pending: Pending<Call, Answer>): void => {
    if (pending === current) thread?.callOff(pending.piece);
    const place = waiting.indexOf(pending);
    if (place < 0) return;
    waiting.splice(place, 1);
    pending.reject(cancellation(pending.signal));
  };

  return {
    call: (call, signal) => {
      const either = AbortSignal.any(signal === undefined ? [stop.signal] : [stop.signal, signal]);
      if (either.aborted) return Promise.reject(cancellation(either));
      return new Promise<Answer>((resolve, reject) => {
        const abandon = (): void => {
          giveUp(pending);
        };
        const settled = <T>(settle: (value: T) => void) => {
          return (value: T): void => {
            either.removeEventListener('abort', abandon);
            settle(value);
          };
        };
        const pending: Pending<Call, Answer> = {
          ...{ call, piece: ++pieces, signal: either },
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
      clearTimeout(idle);
      await dismiss();
      // Of a thread that hangs no answer comes.
      current?.reject(cancellation(stop.signal));
    },
  };
}
