import { Worker, type WorkerOptions } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { cancelAll, endMessage, type ThreadStart } from './thread-side';

/**
 * Time that a thread gets to notice that it is to end. Between two checks it works far shorter than
 * this.
 */
const defaultEndTimeoutMs = 5_000;

/** A hanging thread keeps its memory. With this many hanging threads, no more should be started. */
const maxSetAside = 4;

const running = new Set<Thread>();

/**
 * Number of threads that were asked to end and did not. Each exits when the call in which it hangs
 * returns.
 */
export function threadsSetAside(): number {
  return [...running].filter(({ isSetAside }) => isSetAside).length;
}

/** @throws AppError engine-unavailable when too many threads hang to start another */
export function assertThreadsAvailable(): void {
  if (threadsSetAside() < maxSetAside) return;
  const message = `${maxSetAside} threads hang and do not end: restart the service.`;
  throw new AppError('engine-unavailable', message);
}

/**
 * Asks every thread of this process to end.
 * @returns whether all did within `timeoutMs`
 */
export async function endThreads(timeoutMs: number): Promise<boolean> {
  const ended = await Promise.all([...running].map((thread) => thread.end(timeoutMs)));
  return ended.every((hasEnded) => hasEnded);
}

/**
 * A worker thread that ends only when it is asked to. Ending it by force while it is in native code or
 * loads a module may crash the process. Its module handles messages with `receive`, and checks
 * `isCancelled` between two steps of long work (shared/runtime/threads/thread-side.ts).
 */
export class Thread {
  readonly worker: Worker;
  /** Settles when the thread has exited. */
  readonly exited: Promise<void>;
  readonly #control = new Int32Array(new SharedArrayBuffer(4));
  #hasExited = false;
  #isSetAside = false;

  /** @param data what the module reads with `threadData()`; it must be cloneable */
  constructor(file: string, data: unknown, options: Omit<WorkerOptions, 'workerData'> = {}) {
    const start: ThreadStart = { control: this.#control, data };
    this.worker = new Worker(file, { ...options, workerData: start });
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.#hasExited = true;
        running.delete(this);
        resolve();
      });
    });
    // Without any listener, an error on the thread would end the whole process. Other listeners handle
    // it.
    this.worker.on('error', () => undefined);
  }

  get isSetAside(): boolean {
    return this.#isSetAside && !this.#hasExited;
  }

  /** Cancels all calls with a number up to `callId`. */
  cancelUpTo(callId: number): void {
    Atomics.store(this.#control, 0, callId);
  }

  /**
   * Asks the thread to end after the work that it has accepted. A thread that does not end in time no
   * longer keeps the process alive, and exits when it notices.
   * @returns whether it ended within `timeoutMs`
   */
  async end(timeoutMs = defaultEndTimeoutMs): Promise<boolean> {
    if (this.#hasExited) return true;
    this.cancelUpTo(cancelAll);
    this.worker.postMessage(endMessage);
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const hasEnded = await Promise.race([this.exited.then(() => true), tooLate]);
    clearTimeout(timer);
    if (hasEnded) return true;
    this.#isSetAside = true;
    this.worker.unref();
    return false;
  }
}
