import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type IPublishPacket, type MqttClient } from 'mqtt';
import pino from 'pino';
import type { Outcome } from '../../../services/classifier/events/destination';
import { MqttDestination } from '../../../services/classifier/events/mqtt-destination';
import { systemClock } from '../../../shared/runtime/clock';
import { sampleEvent } from '../../support/event-samples';
import { settled } from '../../support/fake-clock';
import { mosquitto, MosquittoProcess } from '../../support/mosquitto-process';
import { fileNeeds } from '../../support/needs';

fileNeeds(mosquitto);

interface Heard {
  readonly topic: string;
  readonly text: string;
  readonly packet: IPublishPacket;
}

let broker: MosquittoProcess;
let listener: MqttClient;
let heard: Heard[];
const changed: (() => void)[] = [];
let destination: MqttDestination;

async function listen(): Promise<void> {
  listener = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 });
  listener.on('error', () => undefined);
  listener.on('message', (topic, payload, packet) => {
    heard.push({ topic, text: payload.toString('utf8'), packet });
    for (const notice of changed.splice(0)) notice();
  });
  await listener.subscribeAsync('#', { qos: 1 });
}

/** The first message so far, or the next one, for which the condition holds. */
async function message(condition: (heard: Heard) => boolean): Promise<Heard> {
  for (;;) {
    const found = heard.find(condition);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => changed.push(resolve));
  }
}

beforeAll(async () => {
  broker = await MosquittoProcess.start();
});
afterAll(() => broker.remove());

beforeEach(() => {
  heard = [];
});
afterEach(async () => {
  await destination.close();
  await listener.endAsync(true);
});

const options = {
  clientId: 'earshot-test',
  sourceNames: ['kitchen', 'Büro 2'],
  clock: systemClock,
  random: () => 0,
  logger: pino({ level: 'silent' }),
};

/** Connects to the broker; returns when events may be delivered. */
async function open(address = broker.url): Promise<void> {
  destination = new MqttDestination({ ...options, address });
  const isBack = new Promise<void>((resolve) => (destination.onBack = resolve));
  destination.open();
  await isBack;
}

function deliver(name: string): { event: ReturnType<typeof sampleEvent>; outcome: Promise<Outcome> } {
  const event = sampleEvent(name);
  const parcel = { event, text: JSON.stringify(event) };
  return { event, outcome: destination.deliver(parcel, new AbortController().signal) };
}

/**
 * What Home Assistant documents for the configuration of an `event` entity over MQTT, and for its device
 * and origin (home-assistant.io/integrations/event.mqtt and /integrations/mqtt).
 */
const entityFields = [
  ...['availability', 'availability_topic', 'availability_mode', 'availability_template', 'device'],
  ...['device_class', 'enabled_by_default', 'encoding', 'entity_category', 'entity_picture', 'event_types'],
  ...['icon', 'json_attributes_template', 'json_attributes_topic', 'name', 'object_id', 'origin'],
  ...['payload_available', 'payload_not_available', 'platform', 'qos', 'state_topic', 'unique_id'],
  ...['value_template', 'default_entity_id'],
];
const deviceFields = [
  ...['configuration_url', 'connections', 'hw_version', 'identifiers', 'manufacturer', 'model', 'model_id'],
  ...['name', 'serial_number', 'suggested_area', 'sw_version', 'via_device'],
];

describe('the broker', () => {
  it('has each event with its content type, acknowledged, in the topic of its source', async () => {
    await listen();
    await open();
    const { event, outcome } = deliver('kitchen');
    expect(await outcome).toEqual({ kind: 'delivered' });
    const { text, packet } = await message(({ topic }) => topic === 'earshot/sources/kitchen');
    expect(JSON.parse(text)).toEqual(event);
    expect(packet).toMatchObject({
      qos: 1,
      retain: false,
      properties: {
        contentType: 'application/cloudevents+json; charset=utf-8',
        payloadFormatIndicator: true,
      },
    });
  });

  it('tells Home Assistant of each source, with fields that it documents', async () => {
    await open();
    await listen();
    const configs = await Promise.all(
      ['kitchen', 'B_ro_2-'].map((slug) =>
        message(({ topic }) => topic.startsWith(`homeassistant/event/earshot/${slug}`)),
      ),
    );
    for (const { topic, text, packet } of configs) {
      expect(packet.retain).toBe(true);
      expect(topic).toMatch(/^homeassistant\/event\/[\w-]+\/[\w-]+\/config$/);
      const config = JSON.parse(text) as Record<string, object>;
      expect(Object.keys(config).filter((key) => !entityFields.includes(key))).toEqual([]);
      expect(Object.keys(config['device']!).filter((key) => !deviceFields.includes(key))).toEqual([]);
      expect(config).toMatchObject({
        event_types: ['started', 'ended'],
        unique_id: expect.any(String),
        device: { identifiers: [expect.any(String)], name: expect.stringMatching(/^(kitchen|Büro 2)$/) },
        origin: { name: 'Earshot' },
        availability: [{ topic: 'earshot/status/earshot-test' }],
      });
    }
    const [{ text }] = configs as [Heard, Heard];
    expect((JSON.parse(text) as { state_topic: string }).state_topic).toBe('earshot/sources/kitchen');
    const ids = configs.map((config) => (JSON.parse(config.text) as { unique_id: string }).unique_id);
    expect(new Set(ids).size).toBe(2);
  });

  it('says online, offline at the end, and offline when the connection breaks', async () => {
    await listen();
    await open();
    const status = (text: string) => (found: Heard) =>
      found.topic === 'earshot/status/earshot-test' && found.text === text;
    await message(status('online'));
    await destination.close();
    await message(status('offline'));
    heard = [];
    await open();
    // A second connection of this name makes the broker cut the first, which says no goodbye.
    const rival = await connectAsync(broker.url, { protocolVersion: 5, clientId: 'earshot-test' });
    const { packet } = await message(status('offline'));
    expect(packet.qos).toBe(1);
    await rival.endAsync();
  });

  it('that is killed and comes back has what was refused meanwhile, and the introduction again', async () => {
    await listen();
    await open();
    await broker.kill();
    await listener.endAsync(true);
    const { outcome } = deliver('kitchen');
    expect(await outcome).toMatchObject({ kind: 'retry' });
    const isBack = new Promise<void>((resolve) => (destination.onBack = resolve));
    await broker.restart();
    await isBack;
    heard = [];
    await listen();
    await message(({ topic }) => topic === 'homeassistant/event/earshot/kitchen/config');
    expect(await deliver('kitchen').outcome).toEqual({ kind: 'delivered' });
  });

  it('is asked with the address’s credentials, and wrong ones are a reason without them', async () => {
    await listen();
    const folder = await mkdtemp(join(tmpdir(), 'earshot-passwords-'));
    const passwords = join(folder, 'passwords');
    execFileSync('mosquitto_passwd', ['-b', '-c', passwords, 'me', 'p@ss']);
    // The broker reads it as a user of its own.
    await chmod(folder, 0o755);
    await chmod(passwords, 0o644);
    const guarded = await MosquittoProcess.start(['allow_anonymous false', `password_file ${passwords}`]);
    try {
      await open(`mqtt://me:p%40ss@127.0.0.1:${guarded.port}`);
      expect(await deliver('kitchen').outcome).toEqual({ kind: 'delivered' });
      await destination.close();
      destination = new MqttDestination({ ...options, address: `mqtt://me:wrong@127.0.0.1:${guarded.port}` });
      destination.open();
      let reason: string;
      do {
        await settled();
        ({ reason } = (await deliver('kitchen').outcome) as { reason: string });
      } while (reason.endsWith('no connection yet'));
      // 135 is MQTT 5's "not authorized".
      expect(reason).toBe('no connection: the connection failed: 135');
    } finally {
      await guarded.remove();
      await rm(folder, { recursive: true });
    }
  });
});
