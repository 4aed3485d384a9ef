import type { Clock } from '../../../shared/runtime/clock';
import { deferred, type Deferred } from '../../../shared/runtime/deferred';
import { Places } from '../../../shared/batching/places';
import { SharedPlaces, type Holder } from '../../../shared/batching/shared-places';
import { Throughput } from '../../../shared/batching/throughput';
import { AppError } from '../../../shared/errors/app-error';
import type { ServiceStatus } from '../../../shared/contracts/service-status';
import type { OverloadCause } from '../../../shared/observability/metrics';

export interface GateOptions {
  /** Recordings being decoded or classified at most. */
  readonly maxRequests: number;
  /** Open streams at most. */
  readonly maxStreams: number;
  readonly engine: () => { readonly status: 'starting' | 'ready' | 'unavailable'; readonly reason?: string };
  /** Whether the queue before the engine is full for a caller, and how long its next recording would wait there. */
  readonly queue: (caller: string) => { readonly full: boolean; readonly waitMs: number };
  /** Whether open streams use all of the engine that is for them, and this caller half of it. */
  readonly streamsFull: (caller: string) => boolean;
  /** A newcomer that would wait longer is refused at once: it would not be answered in time. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
  readonly onRefused?: (cause: OverloadCause) => void;
}

/** A recording on its way through. */
export interface Ticket {
  /**
   * Its body is here and the work begins, as soon as there is a place.
   * @throws AppError overloaded when it cannot be answered in time any more; the signal's reason
   */
  work(signal: AbortSignal): Promise<void>;
  /** To be called when it is answered or given up; further calls do nothing. */
  leave(answered: boolean): void;
}

/** Seconds after which a caller may try again, where nothing better is known. */
const retrySeconds = { starting: 2, unavailable: 2, draining: 5, full: 1, streams: 10 } as const;

/**
 * Predictions are no promises: the pace falls where refusals begin to take time, or another caller comes. So many times what is
 * predicted must be allowed.
 */
const margin = 2;

/** Most bodies are here so soon behind their heads: until then each has a place kept. One that takes longer gets one when it is here. */
const promptMs = 100;

/**
 * Who may come in: decided before the first byte of a body is read, or of a stream; counted until they leave. Callers are told
 * apart as access/caller-id.ts does; where others wait, none has more than half of anything.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #throughput: Throughput;
  readonly #places: Places;
  readonly #streams: SharedPlaces;
  #inside = 0;
  #streamsEnded = 0;
  #emptied: Deferred<undefined> | undefined;
  readonly #closing = new AbortController();

  constructor(options: GateOptions) {
    this.#options = options;
    this.#throughput = new Throughput(options.clock);
    this.#places = new Places(options.maxRequests);
    this.#streams = new SharedPlaces(options.maxStreams, options.clock);
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
    return this.#streams.taken;
  }

  get status(): ServiceStatus {
    if (this.#emptied !== undefined) return { status: 'draining', reason: 'The service is shutting down.' };
    const { status, reason } = this.#options.engine();
    return { status, reason: reason ?? 'The model is loaded and warmed up.' };
  }

  /**
   * Lets a recording in.
   * @param caller on whose account
   * @param deadlineMs how long its sender will wait for the answer
   * @throws AppError starting, engine-unavailable, draining or overloaded, with details.retryAfterSeconds
   */
  enter(caller: string, deadlineMs = this.#options.maxWaitMs): Ticket {
    this.#refuseUnlessReady();
    const allowedMs = Math.min(deadlineMs, this.#options.maxWaitMs);
    if (this.#places.isFull(caller)) throw this.#overloaded(caller, 'places');
    if (this.#options.queue(caller).full) throw this.#overloaded(caller, 'queue');
    this.#refuseLate(caller, allowedMs);
    this.#inside++;
    const unexpect = this.#places.expect(caller);
    const stopExpecting = this.#options.clock.setTimer(unexpect, promptMs);
    let here = false;
    let left = false;
    let release = (): void => undefined;
    return {
      work: async (signal) => {
        stopExpecting();
        unexpect();
        this.#refuseLate(caller, allowedMs);
        if (this.#places.isCrowded) throw this.#overloaded(caller, 'places');
        here = true;
        this.#throughput.enter(caller);
        release = await this.#places.take(caller, signal);
        // Whoever gave up meanwhile has left already.
        if (left) release();
      },
      leave: (answered) => {
        if (left) return;
        left = true;
        stopExpecting();
        unexpect();
        release();
        if (here) this.#throughput.leave(caller, answered);
        this.#inside--;
        if (this.#inside === 0) this.#emptied?.resolve(undefined);
      },
    };
  }

  /**
   * Lets a stream in; another may have to give up its place for it.
   * @param caller on whose account
   * @returns what to call, once, when it is over
   * @throws AppError starting, engine-unavailable, draining or overloaded, with details.retryAfterSeconds
   */
  enterStream(caller: string, holder: Holder): () => void {
    this.assertStreamRoom(caller);
    const leave = this.#streams.take(caller, holder);
    if (leave === undefined) throw this.#tooManyStreams();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      leave();
      this.#streamsEnded++;
    };
  }

  /** @throws AppError as enterStream would */
  assertStreamRoom(caller: string): void {
    this.#refuseUnlessReady();
    if (!this.#streams.hasRoom(caller)) {
      this.#options.onRefused?.('streams');
      throw this.#tooManyStreams();
    }
    if (this.#options.streamsFull(caller)) {
      this.#options.onRefused?.('stream-engine');
      throw this.#tooManyStreams();
    }
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

  #refuseLate(caller: string, allowedMs: number): void {
    if (this.#predictMs(caller) * margin > allowedMs) throw this.#overloaded(caller, 'late');
  }

  /** How long a recording of this caller's that came now would take to be answered, by the answers of late. */
  #predictMs(caller: string): number {
    const { waitMs } = this.#options.queue(caller);
    return Math.max(waitMs, this.#throughput.predictMs(caller, this.#places.heldBy(caller)));
  }

  #overloaded(caller: string, cause: OverloadCause): AppError {
    this.#options.onRefused?.(cause);
    const retryAfterSeconds = Math.max(retrySeconds.full, Math.ceil(this.#predictMs(caller) / 1000));
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
