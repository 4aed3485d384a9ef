import type { CloudEvent } from '../../../shared/contracts/cloud-event';
import type { Logger } from '../../../shared/observability/logger';
import type {
  DropReason,
  EventMetrics,
  EventQueueFigures,
} from '../../../shared/observability/event-metrics';
import type { Clock } from '../../../shared/runtime/clock';
import type { DeadLetters } from './dead-letters';
import type { Destination, Outcome, Parcel } from './destination';
import type { DiskQueue } from './disk-queue';
import { Lanes, type Waiting } from './lanes';
import { LossLog } from './loss-log';
import { retryDelayMs } from '../../../shared/runtime/backoff';

export interface DeliveryOptions {
  readonly destination: Destination;
  readonly queue: DiskQueue;
  readonly deadLetters: DeadLetters;
  /** An event that still fails at this age becomes a dead letter. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  /** Uniform numbers in [0, 1). */
  readonly random: () => number;
  readonly metrics: EventMetrics;
  readonly logger: Logger;
}

/** Sources whose events are on their way at a time, while the receiver answers. */
const maxOnTheirWay = 4;
/** A receiver that wants to be left alone for longer is asked again after this. */
const maxPauseMs = 3_600_000;
/** How long `close` goes on delivering, while the receiver takes what it is given. */
const closeMs = 5000;

/**
 * Delivers the events of a queue to one destination: at least once, and those of a source in their
 * order. While the receiver fails, one event at a time is tried, with pauses that grow.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #lanes = new Lanes();
  readonly #losses: LossLog;
  readonly #abort = new AbortController();
  readonly #labels;
  #onTheirWay = 0;
  /** Attempts that have failed since the last one that did not. */
  #failures = 0;
  #pausedUntilMs = -Infinity;
  #state: 'new' | 'running' | 'stopped' | 'closed' = 'new';
  #cancelTimer: (() => void) | undefined;
  #onChange: () => void = () => undefined;

  constructor(options: DeliveryOptions) {
    const { destination, queue, metrics, logger, clock } = options;
    this.#options = options;
    this.#labels = { destination: destination.name };
    this.#losses = new LossLog(clock, (events, why) => {
      logger.error({ ...this.#labels, events }, why);
    });
    queue.onOverflow = (segment) => {
      this.#lose('full', this.#lanes.forget(segment));
    };
    destination.onBack = () => {
      this.#pausedUntilMs = -Infinity;
      this.#lanes.makeDue();
      this.#run();
    };
    metrics.watch(destination.name, () => this.#figures());
  }

  /** Queues an event. It is on disk when this returns; what the disk does not take is counted. */
  push(event: CloudEvent): void {
    const { queue, metrics, clock } = this.#options;
    try {
      const place = queue.append(JSON.stringify(event));
      metrics.queued.inc(this.#labels);
      this.#lanes.add({ place, source: event.source, noticedMs: clock.now() });
    } catch {
      this.#lose('disk', 1);
    }
    this.#run();
  }

  /**
   * Takes over what earlier processes left, and begins to deliver; does nothing a second time.
   * @throws the file system's error; it may be called again then
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    const { queue, clock, logger } = this.#options;
    const { waiting, damaged } = await queue.load();
    // Of the wall clock only ages are used; one that was set back makes no event younger than new.
    const [nowMs, wallMs] = [clock.now(), Date.now()];
    const older = waiting.map(({ place, event }) => ({
      place,
      source: event.source,
      noticedMs: nowMs - Math.max(0, wallMs - Date.parse(event.time)),
    }));
    this.#lanes.addBefore(older);
    this.#lose('damaged', damaged);
    if (older.length > 0) logger.info({ ...this.#labels, waiting: older.length }, 'events were waiting');
    this.#begin();
  }

  /** Delivers what a healthy receiver takes within seconds; the rest stays on disk. */
  async close(): Promise<void> {
    const { clock, queue, destination } = this.#options;
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(resolve, closeMs);
      this.#onChange = () => {
        const isDelivering = this.#state === 'running' && this.#failures === 0 && this.#lanes.size > 0;
        if (isDelivering) return;
        cancel();
        resolve();
      };
      this.#onChange();
    });
    this.#state = 'closed';
    this.#cancelTimer?.();
    this.#abort.abort();
    await destination.close();
    await queue.close();
  }

  #begin(): void {
    if (this.#state === 'new') this.#state = 'running';
    this.#run();
  }

  #figures(): EventQueueFigures {
    const { clock, queue } = this.#options;
    const nowMs = clock.now();
    return {
      waiting: this.#lanes.size,
      oldestSeconds: (nowMs - (this.#lanes.oldestMs ?? nowMs)) / 1000,
      bytes: queue.bytes,
      isStopped: this.#state === 'stopped',
    };
  }

  #run(): void {
    const { clock } = this.#options;
    const places = this.#failures > 0 ? 1 : maxOnTheirWay;
    while (this.#state === 'running' && this.#onTheirWay < places && clock.now() >= this.#pausedUntilMs) {
      const entry = this.#lanes.next(clock.now());
      if (entry === undefined) break;
      this.#onTheirWay++;
      void this.#attempt(entry).finally(() => {
        this.#onTheirWay--;
        this.#run();
        this.#onChange();
      });
    }
    this.#setTimer();
  }

  /** Wakes up when the pause is over and a lane is due, unless an attempt that ends does so earlier. */
  #setTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#state !== 'running' || this.#onTheirWay > 0) return;
    const dueMs = this.#lanes.nextDueMs();
    if (dueMs === undefined) return;
    const { clock } = this.#options;
    const delayMs = Math.max(0, dueMs - clock.now(), this.#pausedUntilMs - clock.now());
    this.#cancelTimer = clock.setTimer(() => {
      this.#run();
    }, delayMs);
  }

  async #attempt(entry: Waiting): Promise<void> {
    const { queue, destination } = this.#options;
    let parcel: Parcel;
    try {
      parcel = await queue.read(entry.place);
    } catch {
      // Removed to make room just now, or not to be read any more.
      this.#finish(entry);
      this.#lose(entry.place.segment.isRemoved ? 'full' : 'disk', 1);
      return;
    }
    const outcome = await destination.deliver(parcel, this.#abort.signal);
    this.#settle(entry, parcel, outcome);
  }

  #settle(entry: Waiting, parcel: Parcel, outcome: Outcome): void {
    const { metrics, destination, logger } = this.#options;
    switch (outcome.kind) {
      case 'delivered':
        this.#recovered();
        metrics.delivered.inc(this.#labels);
        this.#finish(entry);
        break;
      case 'refused':
        this.#recovered();
        this.#bury(entry, parcel, outcome.reason);
        break;
      case 'gone':
        this.#state = this.#state === 'closed' ? 'closed' : 'stopped';
        this.#lanes.failed(entry, 0, () => 0);
        logger.error(
          { ...this.#labels, host: destination.host, reason: outcome.reason, waiting: this.#lanes.size },
          'the receiver of events is gone for good, and is sent no more until the next start; events wait in EVENTS_DIR',
        );
        break;
      case 'retry':
        if (this.#state !== 'closed') this.#retry(entry, parcel, outcome);
        break;
    }
  }

  #retry(
    entry: Waiting,
    parcel: Parcel,
    { reason, afterMs = 0 }: { readonly reason: string; readonly afterMs?: number },
  ): void {
    const { metrics, clock, random, maxAgeMs, destination, logger } = this.#options;
    const nowMs = clock.now();
    this.#failures++;
    if (this.#failures === 1) {
      logger.warn(
        { ...this.#labels, host: destination.host, reason, waiting: this.#lanes.size },
        'events cannot be delivered; they wait, and it is tried again',
      );
    }
    const pauseMs = Math.max(Math.min(afterMs, maxPauseMs), retryDelayMs(this.#failures, random()));
    this.#pausedUntilMs = nowMs + pauseMs;
    if (entry.place.segment.isRemoved) {
      this.#finish(entry);
      this.#lose('full', 1);
    } else if (nowMs - entry.noticedMs > maxAgeMs) {
      this.#bury(entry, parcel, `too old after a failed attempt: ${reason}`);
    } else {
      metrics.retried.inc(this.#labels);
      this.#lanes.failed(entry, nowMs, (failures) => retryDelayMs(failures, random()));
    }
  }

  #recovered(): void {
    if (this.#failures > 0) {
      const { destination, logger } = this.#options;
      logger.info({ ...this.#labels, host: destination.host }, 'events are delivered again');
    }
    this.#failures = 0;
    this.#pausedUntilMs = -Infinity;
  }

  #bury(entry: Waiting, { text }: Parcel, reason: string): void {
    const { deadLetters, metrics } = this.#options;
    try {
      deadLetters.add(text, reason);
      metrics.dead.inc(this.#labels);
      this.#losses.add(1, `events became dead letters, in EVENTS_DIR: ${reason}`);
    } catch {
      this.#lose('disk', 1);
    }
    this.#finish(entry);
  }

  #finish(entry: Waiting): void {
    this.#lanes.left(entry);
    this.#options.queue.remove(entry.place);
  }

  #lose(reason: DropReason, events: number): void {
    if (events === 0) return;
    this.#options.metrics.dropped.inc({ ...this.#labels, reason }, events);
    this.#losses.add(events, lossMessages[reason]);
  }
}

const lossMessages: Readonly<Record<DropReason, string>> = {
  full: 'the queue of events is full (EVENTS_QUEUE_MAX_BYTES): the oldest were dropped',
  disk: 'events were lost: EVENTS_DIR cannot be written or read',
  damaged: 'events were lost: their lines in EVENTS_DIR are damaged',
};
