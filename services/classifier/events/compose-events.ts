import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../../shared/errors/app-error';
import { isAbsent } from '../../../shared/errors/machine-fault';
import { lockForProcess } from '../../../shared/runtime/processes/process-lock';
import type { Logger } from '../../../shared/observability/logger';
import type { EventMetrics } from '../../../shared/observability/event-metrics';
import { systemClock } from '../../../shared/runtime/clock';
import { DeadLetters } from './dead-letters';
import { Delivery } from './delivery';
import type { Destination } from './destination';
import { DiskQueue } from './disk-queue';
import { createPublisher, type PublishEvent } from './event-publisher';
import { createHttpDestination } from './http-destination';
import { MqttDestination } from './mqtt-destination';

export interface Events {
  readonly publish: PublishEvent;
  close(): Promise<void>;
}

/** The settings that this folder is about (config.ts). */
export interface EventSettings {
  readonly sourceNames: readonly string[];
  readonly eventsUrl: string | undefined;
  readonly eventSecrets: readonly Uint8Array[] | undefined;
  readonly eventsMqttUrl: string | undefined;
  readonly eventsFolder: string;
  readonly eventsQueueMaxBytes: number;
  readonly eventsRetryMs: number;
  readonly eventLabels: readonly string[];
  readonly eventSources: readonly string[];
  readonly eventMinConfidence: number;
}

export interface EventsDeps {
  readonly metrics: EventMetrics;
  readonly logger: Logger;
}

/**
 * How often a folder that another process has is asked for again: as that one stops, this one goes on.
 */
const lockRetryMs = 2000;

/**
 * Everything behind EVENTS_URL and EVENTS_MQTT_URL; without them nothing is written or started.
 * @throws AppError invalid-configuration where EVENTS_DIR cannot be written to
 */
export function composeEvents(config: EventSettings, deps: EventsDeps): Events {
  const { eventsFolder } = config;
  const destinations = composeDestinations(config, deps);
  const deliveries = inFolder(eventsFolder, () =>
    destinations.map(({ destination }) => composeDelivery(destination, config, deps)),
  );
  const unopened = [...destinations];
  const takeOver = async (): Promise<void> => {
    for (const { open } of unopened.splice(0)) open();
    for (const delivery of deliveries) await delivery.start();
  };
  const held = new HeldFolder(eventsFolder, deps.logger, takeOver);
  if (deliveries.length > 0) void held.take();
  return {
    publish: createPublisher(
      {
        labels: config.eventLabels,
        sources: config.eventSources,
        minConfidence: config.eventMinConfidence,
      },
      deliveries,
    ),
    async close() {
      await Promise.all(deliveries.map((delivery) => delivery.close()));
      await held.release();
    },
  };
}

interface Opened {
  readonly destination: Destination;
  /** Called once the folder is this process's alone. */
  readonly open: () => void;
}

function composeDestinations(config: EventSettings, { logger }: EventsDeps): Opened[] {
  const { eventsUrl, eventSecrets, eventsMqttUrl, eventsFolder, sourceNames } = config;
  const opened: Opened[] = [];
  if (eventsUrl !== undefined) {
    const destination = createHttpDestination(eventsUrl, eventSecrets ?? []);
    opened.push({ destination, open: () => undefined });
  }
  if (eventsMqttUrl !== undefined) {
    const destination = new MqttDestination({
      address: eventsMqttUrl,
      clientId: inFolder(eventsFolder, () => clientIdIn(eventsFolder)),
      sourceNames,
      clock: systemClock,
      random: Math.random,
      logger,
    });
    opened.push({
      destination,
      open: () => {
        destination.open();
      },
    });
  }
  return opened;
}

function composeDelivery(destination: Destination, config: EventSettings, deps: EventsDeps): Delivery {
  const folder = join(config.eventsFolder, destination.name);
  const queue = new DiskQueue({
    folder,
    maxBytes: config.eventsQueueMaxBytes,
    clock: systemClock,
    onTrouble: (error) => {
      deps.logger.warn({ err: error, destination: destination.name }, 'EVENTS_DIR: the disk fails');
    },
  });
  return new Delivery({
    ...deps,
    destination,
    queue,
    deadLetters: new DeadLetters(folder),
    maxAgeMs: config.eventsRetryMs,
    clock: systemClock,
    random: Math.random,
  });
}

/** @throws AppError invalid-configuration instead of the file system's error */
function inFolder<T>(folder: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new AppError(
      'invalid-configuration',
      `EVENTS_DIR=${folder} cannot be written to: name a folder that can be.`,
      { cause },
    );
  }
}

/** The name by which brokers know this folder's service; made once. */
function clientIdIn(folder: string): string {
  const file = join(folder, 'client-id');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (caught) {
    if (!isAbsent(caught)) throw caught;
    const clientId = `earshot-${randomBytes(4).toString('hex')}`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${clientId}\n`, { mode: 0o600 });
    return clientId;
  }
}

/** Holds a folder for this process, and waits where another one has it. */
class HeldFolder {
  readonly #folder: string;
  readonly #logger: Logger;
  /** Called once the folder is this process's, and again where that failed. */
  readonly #taken: () => Promise<void>;
  #isReleased = false;
  #unlock: (() => Promise<void>) | undefined;
  #hasWarned = false;

  constructor(folder: string, logger: Logger, taken: () => Promise<void>) {
    this.#folder = folder;
    this.#logger = logger;
    this.#taken = taken;
  }

  /**
   * What is heard while another process has the folder is queued, and delivered afterwards. Never
   * rejects.
   */
  async take(): Promise<void> {
    if (this.#isReleased) return;
    try {
      this.#unlock ??= await lockForProcess(join(this.#folder, 'lock'), 'EVENTS_DIR');
      await this.#taken();
    } catch (error) {
      if (!this.#hasWarned) this.#logger.warn({ err: error }, 'events wait: EVENTS_DIR cannot be had yet');
      this.#hasWarned = true;
      systemClock.setTimer(() => void this.take(), lockRetryMs);
    }
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    await this.#unlock?.();
  }
}
