import { Counter, Gauge, type Registry } from 'prom-client';

/** Where events may leave to. */
const destinationNames = ['http', 'mqtt'] as const;
export type DestinationName = (typeof destinationNames)[number];

/** Why an event was lost: the oldest made room, the disk failed, or a file was damaged. */
const dropReasons = ['full', 'disk', 'damaged'] as const;
export type DropReason = (typeof dropReasons)[number];

/** The state of the queue of one destination. */
export interface EventQueueFigures {
  readonly waiting: number;
  readonly oldestSeconds: number;
  readonly bytes: number;
  /** Whether the receiver said that it is gone for good. */
  readonly isStopped: boolean;
}

const noFigures: EventQueueFigures = { waiting: 0, oldestSeconds: 0, bytes: 0, isStopped: false };

/** The metrics of events that leave the service, and those of sources by name. */
export class EventMetrics {
  readonly #registers: Registry[];
  readonly #queues = new Map<DestinationName, () => EventQueueFigures>();
  readonly #sourceNames: ReadonlySet<string>;
  readonly queued;
  readonly delivered;
  readonly retried;
  readonly dead;
  readonly dropped;
  readonly #sourceEvents;
  readonly #sourceAudioSeconds;

  /** @param sourceNames the closed set of values of the label `source`, besides `other` */
  constructor(registry: Registry, sourceNames: readonly string[]) {
    this.#registers = [registry];
    this.#sourceNames = new Set(sourceNames);
    this.queued = this.#counter('events_queued_total', 'Events written to the queue of a destination.');
    this.delivered = this.#counter('events_delivered_total', 'Events that a receiver acknowledged.');
    this.retried = this.#counter('events_retried_total', 'Attempts to deliver that failed and are repeated.');
    this.dead = this.#counter(
      'events_dead_total',
      'Events put among the dead letters: the receiver refused them, or they grew too old.',
    );
    this.dropped = new Counter({
      name: 'earshot_events_dropped_total',
      help: 'Events lost: the oldest of a full queue, or those that the disk did not take or keep.',
      labelNames: ['destination', 'reason'] as const,
      registers: this.#registers,
    });
    this.#sourceEvents = new Counter({
      name: 'earshot_source_events_total',
      help: 'Events started, by the source; `other` where SOURCE_NAMES does not list it.',
      labelNames: ['source'] as const,
      registers: this.#registers,
    });
    this.#sourceAudioSeconds = new Counter({
      name: 'earshot_source_audio_seconds_total',
      help: 'Sound received, by the source; `other` where SOURCE_NAMES does not list it.',
      labelNames: ['source'] as const,
      registers: this.#registers,
    });
    this.#startAtZero();
    this.#gauge('events_waiting', 'Events that wait to be delivered.', ({ waiting }) => waiting);
    this.#gauge(
      'events_oldest_seconds',
      'Age of the event that has waited longest.',
      ({ oldestSeconds }) => oldestSeconds,
    );
    this.#gauge('events_queue_bytes', 'Size of the queue on disk.', ({ bytes }) => bytes);
    this.#gauge(
      'events_stopped',
      '1 when the receiver has answered that it is gone; a restart tries again.',
      ({ isStopped }) => Number(isStopped),
    );
  }

  /** Shows a destination's queue from now on. */
  watch(destination: DestinationName, read: () => EventQueueFigures): void {
    this.#queues.set(destination, read);
  }

  /** Counts an event that started. @param name what the client calls the source */
  countSourceEvent(name: string | undefined): void {
    this.#sourceEvents.inc({ source: this.#labelOf(name) });
  }

  countSourceAudio(name: string | undefined, seconds: number): void {
    this.#sourceAudioSeconds.inc({ source: this.#labelOf(name) }, seconds);
  }

  #labelOf(name: string | undefined): string {
    return name !== undefined && this.#sourceNames.has(name) ? name : 'other';
  }

  #startAtZero(): void {
    for (const destination of destinationNames) {
      for (const counter of [this.queued, this.delivered, this.retried, this.dead])
        counter.inc({ destination }, 0);
      for (const reason of dropReasons) this.dropped.inc({ destination, reason }, 0);
    }
    for (const source of [...this.#sourceNames, 'other']) {
      this.#sourceEvents.inc({ source }, 0);
      this.#sourceAudioSeconds.inc({ source }, 0);
    }
  }

  #counter(name: string, help: string): Counter<'destination'> {
    return new Counter({
      name: `earshot_${name}`,
      help,
      labelNames: ['destination'] as const,
      registers: this.#registers,
    });
  }

  #gauge(name: string, help: string, valueOf: (figures: EventQueueFigures) => number): void {
    const gauge = new Gauge<'destination'>({
      name: `earshot_${name}`,
      help,
      labelNames: ['destination'] as const,
      registers: this.#registers,
      collect: () => {
        for (const destination of destinationNames) {
          gauge.set({ destination }, valueOf(this.#queues.get(destination)?.() ?? noFigures));
        }
      },
    });
  }
}
