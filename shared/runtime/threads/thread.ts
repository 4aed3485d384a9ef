import { Worker, type WorkerOptions } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { callOffAll, endMessage, type ThreadStart } from './thread-side';

/** So long a thread may take to see that it shall end; what it does between two looks takes far less. */
const usualPatienceMs = 5_000;

/** Each thread that hangs keeps its memory; with so many no more should be started. */
const mostSetAside = 4;

const running = new Set<Thread>();

/** Threads that were asked to end and have not: each is left alone until it comes back from where it hangs. */
export function threadsSetAside(): number {
  return [...running].filter(({ isSetAside }) => isSetAside).length;
}

/** @throws AppError engine-unavailable when too many threads hang to start another */
export function assertFewHang(): void {
  if (threadsSetAside() < mostSetAside) return;
  const message = `${mostSetAside} threads hang and do not end: restart the service.`;
  throw new AppError('engine-unavailable', message);
}

/**
 * Asks every thread of this process to end.
 * @returns whether all did, within `timeoutMs`
 */
export async function endThreads(timeoutMs: number): Promise<boolean> {
  const ended = await Promise.all([...running].map((thread) => thread.end(timeoutMs)));
  return ended.every((hasEnded) => hasEnded);
}

/**
 * A worker thread that ends when it is asked to, and never otherwise: to end one by force while it is in native code, or loads a
 * module, may end the process. Its file takes its messages with `receive` and looks at `isCalledOff` between two steps of long work
 * (shared/runtime/threads/thread-side.ts).
 */
export class Thread {
  readonly worker: Worker;
  /** Settles when it is gone. */
  readonly exited: Promise<void>;
  readonly #control = new Int32Array(new SharedArrayBuffer(4));
  #hasExited = false;
  #isSetAside = false;

  /** @param given what the file finds in `given()` */
  constructor(file: string, given: unknown, options: Omit<WorkerOptions, 'workerData'> = {}) {
    const start: ThreadStart = { control: this.#control, given };
    this.worker = new Worker(file, { ...options, workerData: start });
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        this.#hasExited = true;
        running.delete(this);
        resolve();
      });
    });
    // Whoever cares listens too; without a listener an error on the thread would be one of the whole process.
    this.worker.on('error', () => undefined);
  }

  get isSetAside(): boolean {
    return this.#isSetAside && !this.#hasExited;
  }

  /** Calls off all work up to the piece with this number. */
  callOff(piece: number): void {
    Atomics.store(this.#control, 0, piece);
  }

  /**
   * Asks it to end, when it has answered what it was asked before.
   * @returns whether it did within `timeoutMs`; if not, it is set aside: it keeps nothing alive, and is gone once it sees it
   */
  async end(timeoutMs = usualPatienceMs): Promise<boolean> {
    if (this.#hasExited) return true;
    this.callOff(callOffAll);
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
