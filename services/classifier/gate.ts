import { deferred, type Deferred } from '../../shared/batching/deferred';
import { AppError } from '../../shared/errors/app-error';
import type { ServiceStatus } from '../../shared/contracts/service-status';

export interface GateOptions {
  /** Recordings being read, decoded or classified at most. */
  readonly maxRequests: number;
  readonly engine: () => { readonly status: 'starting' | 'ready' | 'unavailable'; readonly reason?: string };
  /** Whether the queue before the engine is full, and how long a newcomer would wait in it. */
  readonly queue: () => { readonly full: boolean; readonly waitMs: number };
  /** A newcomer that would wait longer is refused at once: it would not be answered in time. */
  readonly maxWaitMs: number;
}

/** Seconds after which a caller may try again, where nothing better is known. */
const retrySeconds = { starting: 2, unavailable: 2, draining: 5, full: 1 } as const;

/** Who may come in: decided before the first byte of a body is read, counted until the answer is ready. */
export class Gate {
  readonly #options: GateOptions;
  #inside = 0;
  #emptied: Deferred<undefined> | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Recordings that were let in and not answered yet. */
  get inside(): number {
    return this.#inside;
  }

  get status(): ServiceStatus {
    if (this.#emptied !== undefined) return { status: 'draining', reason: 'The service is shutting down.' };
    const { status, reason } = this.#options.engine();
    return { status, reason: reason ?? 'The model is loaded and warmed up.' };
  }

  /**
   * @returns what to call, once, when the request is answered or given up
   * @throws AppError starting, engine-unavailable, draining or overloaded, with details.retryAfterSeconds
   */
  enter(): () => void {
    const { status, reason } = this.status;
    if (status !== 'ready') {
      const code = status === 'unavailable' ? 'engine-unavailable' : status;
      throw new AppError(code, reason, { details: { retryAfterSeconds: retrySeconds[status] } });
    }
    this.#refuseWhenFull();
    this.#inside++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inside--;
      if (this.#inside === 0) this.#emptied?.resolve(undefined);
    };
  }

  /** Lets nobody in any more; resolves when the last one has left. */
  async drain(): Promise<void> {
    this.#emptied ??= deferred<undefined>();
    if (this.#inside === 0) this.#emptied.resolve(undefined);
    await this.#emptied.promise;
  }

  #refuseWhenFull(): void {
    const { maxRequests, maxWaitMs } = this.#options;
    const { full, waitMs } = this.#options.queue();
    if (this.#inside < maxRequests && !full && waitMs <= maxWaitMs) return;
    const retryAfterSeconds = Math.max(retrySeconds.full, Math.ceil(waitMs / 1000));
    throw new AppError('overloaded', `Too much to do; try again in ${retryAfterSeconds} s.`, {
      details: { retryAfterSeconds },
    });
  }
}
