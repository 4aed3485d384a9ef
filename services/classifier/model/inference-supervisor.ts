import type { Inference, InferenceResult } from '../../../shared/compute/inference/inference';
import type { Clock } from '../../../shared/runtime/clock';
import { deferred, type Deferred } from '../../../shared/runtime/deferred';
import { AppError } from '../../../shared/errors/app-error';

export type EngineState =
  | { readonly status: 'ready'; readonly inference: Inference }
  | { readonly status: 'starting' | 'unavailable'; readonly reason: string };

export interface SupervisorOptions {
  /** Loads and warms up the model on a fresh thread. */
  readonly start: () => Promise<Inference>;
  /**
   * Wait before the first restart; doubled after each failure up to `maxBackoffMs`, forgotten after an
   * answered batch.
   */
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  /**
   * A batch without an answer for so long means that its thread hangs: it is given up as if it had died.
   */
  readonly hungAfterMs: number;
  readonly clock: Clock;
  readonly onServing: (inference: Inference) => void;
  /**
   * The thread died or was given up, or a restart failed; the next attempt follows in `retryMs`.
   * @param failures how often in turn, since a batch was answered
   */
  readonly onLost: (reason: string, retryMs: number, failures: number) => void;
}

/**
 * So many batches that fail in turn mean that the engine is at fault, such as a GPU that is gone: windows
 * are checked before they are sent.
 */
const maxFailedBatches = 3;

/**
 * Keeps one inference thread alive and answering. What was accepted outlives the thread: a batch lost
 * with it is run once more on the next.
 */
export class InferenceSupervisor {
  /** Settles with the first start; rejects with why the model cannot be served at all. */
  readonly started: Promise<void>;
  readonly #options: SupervisorOptions;
  #state: EngineState = { status: 'starting', reason: 'The model is being loaded.' };
  #waiters: Deferred<Inference>[] = [];
  #failures = 0;
  #failedBatches = 0;
  #cancelRestart: (() => void) | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.started = this.#launch();
    // Whoever awaits `started` hears of it; nobody else has to.
    this.started.catch(() => undefined);
  }

  get state(): EngineState {
    return this.#state;
  }

  /**
   * Probabilities of each window.
   * @throws AppError engine-unavailable when the thread died under this batch twice; internal where the
   *   engine refuses it; draining after close()
   */
  async infer(windows: readonly Float32Array[]): Promise<InferenceResult> {
    const first = await this.#available();
    try {
      return await this.#inferOn(first, windows);
    } catch (error) {
      const { code, message } = AppError.from(error);
      const isAtFault = code === 'internal' && ++this.#failedBatches >= maxFailedBatches;
      if (code !== 'engine-unavailable' && !isAtFault) throw error;
      this.#lose(first, message);
    }
    const second = await this.#available();
    return this.#inferOn(second, windows);
  }

  /** A start that is under way is not waited for: its thread is closed as soon as it is there. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRestart?.();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closing());
    if (this.#state.status === 'ready') await this.#state.inference.close();
  }

  async #inferOn(inference: Inference, windows: readonly Float32Array[]): Promise<InferenceResult> {
    const { clock, hungAfterMs } = this.#options;
    const hung = deferred<never>();
    const stopTimer = clock.setTimer(() => {
      const message = `A batch had no answer after ${hungAfterMs / 1000} s.`;
      hung.reject(new AppError('engine-unavailable', message));
    }, hungAfterMs);
    try {
      // A thread stuck in native code cannot even be terminated: its batch must not wait for its end.
      const result = await Promise.race([inference.infer(windows), hung.promise]);
      this.#failures = 0;
      this.#failedBatches = 0;
      return result;
    } finally {
      stopTimer();
    }
  }

  async #available(): Promise<Inference> {
    if (this.#closed) throw closing();
    if (this.#state.status === 'ready') return this.#state.inference;
    const waiter = deferred<Inference>();
    this.#waiters.push(waiter);
    return waiter.promise;
  }

  async #launch(): Promise<void> {
    const inference = await this.#options.start();
    if (this.#closed) {
      await inference.close();
      return;
    }
    this.#state = { status: 'ready', inference };
    void inference.exited.then((reason) => {
      this.#lose(inference, reason);
    });
    this.#options.onServing(inference);
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(inference);
  }

  /** Heard twice of one death (from a batch and from the thread), it acts once. */
  #lose(inference: Inference, reason: string): void {
    if (this.#closed || this.#state.status !== 'ready' || this.#state.inference !== inference) return;
    void inference.close().catch(() => undefined);
    this.#restartLater(`The inference thread was lost: ${reason}`);
  }

  #restartLater(reason: string): void {
    const { firstBackoffMs, maxBackoffMs, clock, onLost } = this.#options;
    const retryMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#failures++);
    this.#failedBatches = 0;
    this.#state = { status: 'unavailable', reason };
    onLost(reason, retryMs, this.#failures);
    this.#cancelRestart = clock.setTimer(() => {
      this.#launch().catch((error: unknown) => {
        if (!this.#closed) this.#restartLater(`The model could not be loaded again: ${String(error)}`);
      });
    }, retryMs);
  }
}

function closing(): AppError {
  return new AppError('draining', 'The service is shutting down.');
}
