import type { Clock } from '../../../shared/runtime/clock';
import { deferred, type Deferred } from '../../../shared/runtime/deferred';
import { Places } from '../../../shared/batching/places';
import { SharedPlaces, type Holder } from '../../../shared/batching/shared-places';
import { Throughput } from '../../../shared/batching/throughput';
import { AppError } from '../../../shared/errors/app-error';
import type { ServiceStatus } from '../../../shared/contracts/service-status';
import type { OverloadCause } from '../../../shared/observability/metrics';

export interface AdmissionOptions {
  /** Largest number of recordings that are decoded or classified at a time. */
  readonly maxRequests: number;
  /** Largest number of open streams. */
  readonly maxStreams: number;
  readonly engine: () => { readonly status: 'starting' | 'ready' | 'unavailable'; readonly reason?: string };
  /**
   * Whether the engine's queue is full for a caller, and how long its next recording would wait there.
   */
  readonly queue: (caller: string) => { readonly full: boolean; readonly waitMs: number };
  /**
   * Whether open streams use their whole share of the engine and this caller uses half of that share.
   */
  readonly streamsFull: (caller: string) => boolean;
  /** A recording whose predicted wait is longer is refused at once. */
  readonly maxWaitMs: number;
  readonly clock: Clock;
  readonly onRefused?: (cause: OverloadCause) => void;
}

/** An admitted recording. */
export interface Ticket {
  /**
   * To be called when the body has arrived; resolves when the recording may be decoded.
   * @throws AppError overloaded when it can no longer be answered in time; the signal's reason
   */
  work(signal: AbortSignal): Promise<void>;
  /** To be called when the recording is answered or abandoned; further calls do nothing. */
  leave(answered: boolean): void;
}

/** Seconds after which a caller may try again, where no better estimate exists. */
const retrySeconds = { starting: 2, unavailable: 2, draining: 5, full: 1, streams: 10 } as const;

/**
 * A recording is refused when this factor times its predicted time exceeds the allowed time. The actual
 * time can be longer than predicted, because refusals take time too and other callers may arrive.
 */
const predictionMargin = 2;

/**
 * How long a place is reserved for a recording whose head has arrived and whose body has not. Most
 * bodies arrive sooner; a later one takes a place when it has arrived.
 */
const reservationMs = 100;

/**
 * Admission control for recordings and streams. It decides before the first byte of a body or a stream
 * is read, and counts what it has admitted until that ends. While other callers wait, no caller (see
 * access/caller-id.ts) gets more than half of the places.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #throughput: Throughput;
  readonly #places: Places;
  readonly #streams: SharedPlaces;
  #unanswered = 0;
  #streamsEnded = 0;
  #emptied: Deferred<undefined> | undefined;
  readonly #closing = new AbortController();

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#throughput = new Throughput(options.clock);
    this.#places = new Places(options.maxRequests);
    this.#streams = new SharedPlaces(options.maxStreams, options.clock);
  }

  /** Aborts with `draining` when the service begins to shut down; ends what could go on for long. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Number of recordings that were admitted and not answered yet. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Number of open streams. */
  get streams(): number {
    return this.#streams.taken;
  }

  get status(): ServiceStatus {
    if (this.#emptied !== undefined) return { status: 'draining', reason: 'The service is shutting down.' };
    const { status, reason } = this.#options.engine();
    return { status, reason: reason ?? 'The model is loaded and warmed up.' };
  }

  /**
   * Admits a recording.
   * @param caller the account (access/caller-id.ts)
   * @param deadlineMs how long its sender will wait for the answer
   * @throws AppError starting, engine-unavailable, draining or overloaded, with
   *   details.retryAfterSeconds
   */
  admit(caller: string, deadlineMs = this.#options.maxWaitMs): Ticket {
    this.#refuseUnlessReady();
    const allowedMs = Math.min(deadlineMs, this.#options.maxWaitMs);
    if (this.#places.isFull(caller)) throw this.#overloaded(caller, 'places');
    if (this.#options.queue(caller).full) throw this.#overloaded(caller, 'queue');
    this.#refuseLate(caller, allowedMs);
    this.#unanswered++;
    const unexpect = this.#places.expect(caller);
    const stopExpecting = this.#options.clock.setTimer(unexpect, reservationMs);
    let bodyArrived = false;
    let hasLeft = false;
    let release = (): void => undefined;
    return {
      work: async (signal) => {
        stopExpecting();
        unexpect();
        this.#refuseLate(caller, allowedMs);
        if (this.#places.isCrowded) throw this.#overloaded(caller, 'places');
        bodyArrived = true;
        this.#throughput.enter(caller);
        release = await this.#places.take(caller, signal);
        // The caller may have given up while it waited for the place.
        if (hasLeft) release();
      },
      leave: (answered) => {
        if (hasLeft) return;
        hasLeft = true;
        stopExpecting();
        unexpect();
        release();
        if (bodyArrived) this.#throughput.leave(caller, answered);
        this.#unanswered--;
        if (this.#unanswered === 0) this.#emptied?.resolve(undefined);
      },
    };
  }

  /**
   * Admits a stream; another stream may be displaced for it.
   * @param caller the account (access/caller-id.ts)
   * @returns a function to be called when the stream has ended
   * @throws AppError starting, engine-unavailable, draining or overloaded, with
   *   details.retryAfterSeconds
   */
  admitStream(caller: string, holder: Holder): () => void {
    this.assertStreamRoom(caller);
    const leave = this.#streams.take(caller, holder);
    if (leave === undefined) throw this.#tooManyStreams();
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      leave();
      this.#streamsEnded++;
    };
  }

  /** @throws AppError as admitStream would */
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

  /** Stops admitting; resolves when the last recording is answered. */
  async drain(): Promise<void> {
    this.#emptied ??= deferred<undefined>();
    const { reason } = this.status;
    this.#closing.abort(
      new AppError('draining', reason, { details: { retryAfterSeconds: retrySeconds.draining } }),
    );
    if (this.#unanswered === 0) this.#emptied.resolve(undefined);
    await this.#emptied.promise;
  }

  #refuseUnlessReady(): void {
    const { status, reason } = this.status;
    if (status === 'ready') return;
    const code = status === 'unavailable' ? 'engine-unavailable' : status;
    throw new AppError(code, reason, { details: { retryAfterSeconds: retrySeconds[status] } });
  }

  #refuseLate(caller: string, allowedMs: number): void {
    if (this.#predictMs(caller) * predictionMargin > allowedMs) throw this.#overloaded(caller, 'late');
  }

  /** Predicted time to answer a recording of this caller that arrives now, from recent answers. */
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

  /** Retry-After is the mean time between two streams' ends so far, from 1 s to 60 s. */
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
