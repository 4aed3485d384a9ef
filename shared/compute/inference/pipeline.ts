/** How long a batch that is being computed waits to be read for another one to come, in milliseconds. */
const graceMs = 1;

/**
 * The batches of an engine that computes beside this thread: a batch is begun (its inputs are made, its
 * graph is handed over) before the one ahead of it is waited for, so that the engine always has work. At
 * most two are begun at a time, and they are finished in order.
 */
export class Pipeline<Request> {
  readonly #begin: (request: Request) => () => void;
  readonly #isBeside: boolean;
  /** Finishes the batch that is begun and not waited for yet. */
  #pending: (() => void) | undefined;

  /**
   * @param begin begins a batch. @returns waits for it and answers it; neither may throw
   * @param isBeside whether the engine computes beside this thread; else a batch is finished at once
   */
  constructor(begin: (request: Request) => () => void, isBeside: boolean) {
    this.#begin = begin;
    this.#isBeside = isBeside;
  }

  /** Begins a batch, and finishes the one before it. */
  take(request: Request): void {
    const finish = this.#begin(request);
    if (!this.#isBeside) {
      finish();
      return;
    }
    const followsAnother = this.#pending !== undefined;
    this.flush();
    this.#pending = finish;
    const finishUnlessDone = (): void => {
      if (this.#pending === finish) this.flush();
    };
    // A lone batch is waited for as soon as no other has come. After another one more are likely, and
    // what the engine has to do outlasts the wait.
    if (followsAnother) setTimeout(finishUnlessDone, graceMs);
    else setImmediate(finishUnlessDone);
  }

  /** Finishes what is begun. */
  flush(): void {
    const finish = this.#pending;
    this.#pending = undefined;
    finish?.();
  }
}
