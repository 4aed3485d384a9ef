import { createRequire } from 'node:module';
import type * as Mqtt from 'mqtt';
import type { IClientOptions, MqttClient } from 'mqtt';
import { cloudEventMediaType } from '../../../shared/contracts/cloud-event';
import type { Logger } from '../../../shared/observability/logger';
import type { Clock } from '../../../shared/runtime/clock';
import type { Destination, Outcome, Parcel } from './destination';
import { discoveryOf, eventsTopic } from './home-assistant';
import { retryDelayMs } from '../../../shared/runtime/backoff';

export interface MqttOptions {
  /** `mqtt://` or `mqtts://`. */
  readonly address: string;
  /** The same after a restart, another for every folder of queues. */
  readonly clientId: string;
  /** The sources that Home Assistant is told of. */
  readonly sourceNames: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** Time for a connection, and for a broker's acknowledgement. */
const answerMs = 15_000;
/**
 * Reason codes of MQTT 5 for a message that the broker never takes: its topic, its size, its payload.
 */
const hopelessCodes: readonly number[] = [0x90, 0x95, 0x99];

/**
 * Publishes each event to an MQTT 5 broker with quality of service 1, and keeps a connection, so that
 * others see on the status topic whether the service is there. Each connection has a client of its own:
 * the library keeps no messages of an earlier one.
 */
export class MqttDestination implements Destination {
  readonly name = 'mqtt';
  readonly host: string;
  readonly #options: MqttOptions;
  readonly #statusTopic: string;
  #client: MqttClient | undefined;
  #isClosed = false;
  #failures = 0;
  #lastReason = 'no connection yet';
  #cancelConnect: (() => void) | undefined;
  onBack: () => void = () => undefined;

  constructor(options: MqttOptions) {
    this.#options = options;
    this.host = new URL(options.address).host;
    this.#statusTopic = `earshot/status/${options.clientId}`;
  }

  /** Connects, and again whenever the connection is lost. */
  open(): void {
    this.#connect();
  }

  async deliver({ event, text }: Parcel, signal: AbortSignal): Promise<Outcome> {
    const client = this.#client;
    if (client?.connected !== true || signal.aborted) {
      return { kind: 'retry', reason: `no connection: ${this.#lastReason}` };
    }
    const topic = eventsTopic(event.data.source?.name);
    return new Promise((resolve) => {
      const giveUp = (reason: string): void => {
        resolve({ kind: 'retry', reason });
      };
      const onAbort = (): void => {
        giveUp('the service stops');
      };
      const onClose = (): void => {
        giveUp('the connection was lost');
      };
      const cancelTimer = this.#options.clock.setTimer(() => {
        giveUp(`no acknowledgement within ${answerMs / 1000} s`);
        client.end(true);
      }, answerMs);
      signal.addEventListener('abort', onAbort);
      client.once('close', onClose);
      publish(client, topic, text, { contentType: cloudEventMediaType })
        .then(() => ({ kind: 'delivered' }) as const, outcomeOf)
        .then(resolve, resolve)
        .finally(() => {
          cancelTimer();
          signal.removeEventListener('abort', onAbort);
          client.off('close', onClose);
        });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelConnect?.();
    const client = this.#client;
    if (client === undefined) return;
    if (client.connected) await settledWithin(this.#options.clock, this.#publishStatus(client, 'offline'));
    await settledWithin(this.#options.clock, client.endAsync(!client.connected));
  }

  #connect(): void {
    // Loaded here alone: a service without a broker does without the library.
    const { connect } = createRequire(__filename)('mqtt') as typeof Mqtt;
    const client = connect(this.#clientOptions());
    this.#client = client;
    client.on('error', (error) => {
      this.#lastReason = reasonOf(error);
    });
    client.on('connect', () => {
      this.#failures = 0;
      this.#lastReason = 'the broker closed the connection';
      this.#introduce(client).catch(() => client.end(true));
    });
    client.once('close', () => {
      client.end(true);
      if (this.#isClosed) return;
      this.#failures++;
      if (this.#failures === 1) {
        this.#options.logger.warn(
          { destination: this.name, host: this.host, reason: this.#lastReason },
          'no connection to the broker of events; it is tried again',
        );
      }
      const delayMs = retryDelayMs(this.#failures, this.#options.random());
      this.#cancelConnect = this.#options.clock.setTimer(() => {
        this.#connect();
      }, delayMs);
    });
  }

  /** Tells of the sources and that the service is there; then events may follow. */
  async #introduce(client: MqttClient): Promise<void> {
    const { sourceNames, logger } = this.#options;
    for (const name of sourceNames) {
      const { topic, payload } = discoveryOf(name, this.#statusTopic);
      await publish(client, topic, JSON.stringify(payload), { retain: true });
    }
    await this.#publishStatus(client, 'online');
    logger.info({ destination: this.name, host: this.host }, 'connected to the broker of events');
    this.onBack();
  }

  #publishStatus(client: MqttClient, status: 'online' | 'offline'): Promise<void> {
    return publish(client, this.#statusTopic, status, { retain: true });
  }

  #clientOptions(): IClientOptions {
    const { protocol, hostname, port, username, password } = new URL(this.#options.address);
    const isSecure = protocol === 'mqtts:';
    return {
      protocol: isSecure ? 'mqtts' : 'mqtt',
      host: hostname.replaceAll(/^\[|\]$/g, ''),
      port: port === '' ? (isSecure ? 8883 : 1883) : Number(port),
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      protocolVersion: 5,
      clientId: this.#options.clientId,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: answerMs,
      keepalive: 30,
      will: { topic: this.#statusTopic, payload: Buffer.from('offline'), qos: 1, retain: true },
    };
  }
}

/**
 * Publishes with quality of service 1.
 * @throws the library's error, also with the broker's reason code
 */
async function publish(
  client: MqttClient,
  topic: string,
  text: string,
  { retain = false, contentType }: { readonly retain?: boolean; readonly contentType?: string },
): Promise<void> {
  const properties = { payloadFormatIndicator: true, ...(contentType !== undefined && { contentType }) };
  await client.publishAsync(topic, text, { qos: 1, retain, properties });
}

function outcomeOf(error: unknown): Outcome {
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== 'number') return { kind: 'retry', reason: reasonOf(error) };
  const reason = `the broker answered with reason code ${code}`;
  return { kind: hopelessCodes.includes(code) ? 'refused' : 'retry', reason };
}

/** Codes alone: messages of libraries may repeat addresses. */
function reasonOf(error: unknown): string {
  const { code } = error as { readonly code?: string | number };
  return code === undefined ? 'the connection failed' : `the connection failed: ${code}`;
}

/** Waits for a last message, but not for long; how it ends does not matter any more. */
async function settledWithin(clock: Clock, promise: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.setTimer(resolve, 1000);
    promise
      .catch(() => undefined)
      .finally(() => {
        cancel();
        resolve();
      });
  });
}
