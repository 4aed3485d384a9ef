import type { Clock } from '../../shared/batching/clock';
import { deferred, type Deferred } from '../../shared/batching/deferred';
import { Throughput } from '../../shared/batching/throughput';
import { AppError } from '../../shared/errors/app-error';
import type { ServiceStatus } from '../../shared/contracts/service-status';

export interface GateOptions {
  /** Recordings being read, decoded or classified at most. */
  readonly maxRequests: number;
  /** Open streams at most. */
  readonly maxStreams: number;
  readonly engine: () => { readonly status: 'starting' | 'ready' | 'unavailable'; readonly reason?: string };
  /** Whether the queue before the engine is full, and how long a newcomer would wait in it. */
  readonly queue: () => { readonly full: boolean; readonly waitMs: number };
  /** Whether open streams take all of the engine that is for them. */
  readonly streamsFull: () => boolean;
  /** A newcomer that would wait longer is refused at once: it would not be answered in time. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
}

/** A recording on its way through. */
export interface Visit {
  /** Its body is here and the work begins. @throws AppError overloaded when it cannot be answered in time any more */
  work(): void;
  /** To be called when it is answered or given up; further calls do nothing. */
  leave(answered: boolean): void;
}

/** Seconds after which a caller may try again, where nothing better is known. */
const retrySeconds = { starting: 2, unavailable: 2, draining: 5, full: 1, streams: 10 } as const;

/** Predictions are no promises: so much of the time allowed must be left over. */
const margin = 1.5;

/** Who may come in: decided before the first byte of a body is read, or of a stream; counted until they leave. */
export class Gate {
  readonly #options: GateOptions;
  readonly #throughput: Throughput;
  #inside = 0;
  #streams = 0;
  #streamsEnded = 0;
  #emptied: Deferred<undefined> | undefined;
  readonly #closing = new AbortController();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#throughput = new Throughput(options.clock);
  }

  /** Aborts, with `draining`, when the service begins to shut down: for what would go on for too long. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Recordings that were let in and not answered yet. */
  get inside(): number {
    return this.#inside;
  }

  /** Open streams. */
  get streams(): number {
    return this.#streams;
  }

  /** How long a recording that came now would take to be answered, by the answers of late. */
  get predictedMs(): number {
    return Math.max(this.#options.queue().waitMs, this.#throughput.predictedMs);
  }

  get status(): ServiceStatus {
    if (this.#emptied !== undefined) return { status: 'draining', reason: 'The service is shutting down.' };
    const { status, reason } = this.#options.engine();
    return { status, reason: reason ?? 'The model is loaded and warmed up.' };
  }

  /**
   * Lets a recording in.
   * @param deadlineMs how long its sender will wait for the answer
   * @throws AppError starting, engine-unavailable, draining or overloaded, with details.retryAfterSeconds
   */
  enter(deadlineMs = this.#options.maxWaitMs): Visit {
    this.#refuseUnlessReady();
    const allowedMs = Math.min(deadlineMs, this.#options.maxWaitMs);
    this.#refuseWhenFull(allowedMs);
    this.#inside++;
    let working = false;
    let left = false;
    return {
      work: () => {
        this.#refuseLate(allowedMs);
        working = true;
        this.#throughput.enter();
      },
      leave: (answered) => {
        if (left) return;
        left = true;
        if (working) this.#throughput.leave(answered);
        this.#inside--;
        if (this.#inside === 0) this.#emptied?.resolve(undefined);
      },
    };
  }

  /**
   * Lets a stream in.
   * @returns what to call, once, when it is over
   * @throws AppError starting, engine-unavailable, draining or overloaded, with details.retryAfterSeconds
   */
  enterStream(): () => void {
    this.assertStreamRoom();
    this.#streams++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#streams--;
      this.#streamsEnded++;
    };
  }

  /** @throws AppError as enterStream would */
  assertStreamRoom(): void {
    this.#refuseUnlessReady();
    const { maxStreams, streamsFull } = this.#options;
    if (this.#streams >= maxStreams || streamsFull()) throw this.#tooManyStreams();
  }

  /** Lets nobody in any more; resolves when the last recording is answered. */
  async drain(): Promise<void> {
    this.#emptied ??= deferred<undefined>();
    const { reason } = this.status;
    this.#closing.abort(
      new AppError('draining', reason, { details: { retryAfterSeconds: retrySeconds.draining } }),
    );
    if (this.#inside === 0) this.#emptied.resolve(undefined);
    await this.#emptied.promise;
  }

  #refuseUnlessReady(): void {
    const { status, reason } = this.status;
    if (status === 'ready') return;
    const code = status === 'unavailable' ? 'engine-unavailable' : status;
    throw new AppError(code, reason, { details: { retryAfterSeconds: retrySeconds[status] } });
  }

  #refuseWhenFull(allowedMs: number): void {
    if (this.#inside >= this.#options.maxRequests || this.#options.queue().full) throw this.#overloaded();
    this.#refuseLate(allowedMs);
  }

  #refuseLate(allowedMs: number): void {
    if (this.predictedMs * margin > allowedMs) throw this.#overloaded();
  }

  #overloaded(): AppError {
    const retryAfterSeconds = Math.max(retrySeconds.full, Math.ceil(this.predictedMs / 1000));
    return new AppError('overloaded', `Too much to do; try again in ${retryAfterSeconds} s.`, {
      details: { retryAfterSeconds },
    });
  }

  /** A place comes free as often as streams have ended so far; nobody waits longer than a minute for it. */
  #tooManyStreams(): AppError {
    const { clock } = this.#options;
    const meanSeconds = clock.now() / 1000 / Math.max(1, this.#streamsEnded);
    const computed = Math.min(60, Math.max(1, Math.ceil(meanSeconds)));
    const retryAfterSeconds = this.#streamsEnded === 0 ? retrySeconds.streams : computed;
    return new AppError('overloaded', `All streams are taken; try again in ${retryAfterSeconds} s.`, {
      details: { retryAfterSeconds },
    });
  }
}
