import { systemClock } from '../runtime/clock';
import { FairQueue } from './fair-queue';

/** Maximum time for this work in one iteration of the event loop, in milliseconds. */
const sliceMs = 5;

type Task = () => unknown;

/**
 * Runs short audio computations (stream decoding, resampling, windows, levels) on the event loop. After
 * `sliceMs` of them the loop serves its sockets before it continues. Callers are served round-robin.
 * Each task must be limited to a few milliseconds by its author.
 */
export class EventLoopQueue {
  readonly #queue = new FairQueue<Task, unknown>();
  #spentMs = 0;
  #scheduled = false;

  /**
   * Queues a task.
   * @returns what the task returns; rejects with what it throws
   */
  async run<T>(caller: string, task: () => T): Promise<T> {
    this.#schedule();
    if (this.#queue.counts.total === 0 && this.#spentMs < sliceMs) return this.#measured(task);
    const [result] = await this.#queue.add([task], 0, caller).promise;
    return result as T;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#nextSlice();
    });
  }

  #nextSlice(): void {
    this.#scheduled = false;
    this.#spentMs = 0;
    while (this.#spentMs < sliceMs) {
      const [next] = this.#queue.take(1);
      if (next === undefined) return;
      const { group, item, index } = next;
      try {
        group.settle(index, this.#measured(item));
      } catch (error) {
        group.reject(error);
      }
    }
    if (this.#queue.counts.total > 0) this.#schedule();
  }

  #measured<T>(task: () => T): T {
    const startedMs = systemClock.now();
    try {
      return task();
    } finally {
      this.#spentMs += systemClock.now() - startedMs;
    }
  }
}
