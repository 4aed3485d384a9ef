import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { cloudEventSchema, type CloudEvent } from '../../shared/contracts/cloud-event';
import type { EventMessage } from '../../shared/contracts/stream';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { square } from '../support/signals';
import { StreamClient } from '../support/stream-client';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const rate = 16_000;

/** A receiver that keeps what it gets, and answers as it is told. */
class Receiver {
  readonly events: CloudEvent[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  answer: (response: ServerResponse) => void = (response) => response.writeHead(204).end();
  port = 0;
  #server: Server | undefined;
  #changed: () => void = () => undefined;

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        new Webhook(secret).verify(body, request.headers as Record<string, string>);
        this.events.push(cloudEventSchema.parse(JSON.parse(body)));
        this.headers.push(request.headers);
        this.answer(response);
        this.#changed();
      });
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server?.listening !== true) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

let folder: string;
let receiver: Receiver;
let service: ServiceProcess;
const logged: object[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-events-'));
  await publishRandomModel(join(folder, 'models'), 'cnn-test-1');
  receiver = new Receiver();
  await receiver.listen();
});
afterAll(async () => {
  await service.kill();
  await receiver.close();
  await rm(folder, { recursive: true });
});

/** Starts the service on the same folder of events. @returns its port */
async function start(): Promise<number> {
  service = new ServiceProcess({
    MODELS_DIR: join(folder, 'models'),
    EVENTS_DIR: join(folder, 'events'),
    EVENTS_URL: `http://me:hidden-password@127.0.0.1:${receiver.port}/hook/hidden-path`,
    EVENTS_SECRET: secret,
    EVENTS_SOURCES: 'kitchen;hall',
    SOURCE_NAMES: 'kitchen',
  });
  const port = Number(new URL(await service.url()).port);
  await service.line('loaded and warmed up');
  return port;
}

/** Streams sound in which the network, whatever it is, finds something. @returns its events */
async function hear(port: number, source: object): Promise<EventMessage[]> {
  const client = await StreamClient.open(port);
  const events = { onThreshold: 0.02, offThreshold: 0.01, smoothingSeconds: 0, minDurationSeconds: 0 };
  client.send({ type: 'start', sampleRate: rate, silenceDbfs: null, source, events });
  client.sendAudio(square(6 * rate, rate, 0.5));
  client.send({ type: 'stop' });
  expect(await client.closed()).toBe(1000);
  return client.of('event');
}

const key = ({ event, eventId, label }: { event: string; eventId: number; label: string }): string =>
  `${event} ${eventId} ${label}`;

describe('events that leave the service', () => {
  it('survive kill -9 between detection and delivery, and a receiver that is away', async () => {
    // The receiver has the first one and does not answer: whether it arrived is not known.
    receiver.answer = () => undefined;
    const kitchen = { name: 'kitchen', tags: ['floor 1', 'é'] };
    const port = await start();
    const heard = await hear(port, kitchen);
    expect(heard.length).toBeGreaterThan(1);
    expect(heard.map(({ source }) => source)).toEqual(heard.map(() => kitchen));
    await receiver.until(() => receiver.events.length > 0);
    await service.lineWith({ msg: 'stream closed' });
    const metrics = await (await fetch(`${await service.url()}/metrics`)).text();
    expect(metrics).toContain(`earshot_events_waiting{destination="http"} ${heard.length}\n`);
    expect(metrics).toMatch(/earshot_source_events_total\{source="kitchen"\} [1-9]/);
    expect(service.lines).toContainEqual(expect.objectContaining({ msg: 'stream closed', source: kitchen }));
    await service.kill();
    logged.push(...service.lines);
    await receiver.close();

    // Nobody listens at first.
    const again = await start();
    await service.lineWith({ msg: 'events were waiting' });
    await service.lineWith({ msg: 'events cannot be delivered; they wait, and it is tried again' });
    receiver.answer = (response) => response.writeHead(204).end();
    await receiver.listen();
    const [inHall, elsewhere] = await Promise.all([
      hear(again, { name: 'hall' }),
      hear(again, { name: 'elsewhere' }),
    ]);
    expect(elsewhere).not.toEqual([]);
    /** Each event once, as they came first. */
    const ofSource = (name: string): CloudEvent[] => {
      const events = receiver.events.filter(({ data }) => data.source?.name === name);
      return [...new Map(events.map((event) => [event.id, event])).values()];
    };
    await receiver.until(
      () => ofSource('kitchen').length === heard.length && ofSource('hall').length === inHall.length,
    );
    const [first] = ofSource('kitchen');
    const copies = receiver.events.filter(({ id }) => id === first!.id);
    expect(copies.length).toBeGreaterThan(1);
    expect(copies).toEqual(copies.map(() => first));
    expect(ofSource('kitchen').map(({ data }) => key(data))).toEqual(heard.map(key));
    expect(ofSource('hall').map(({ data }) => key(data))).toEqual(inHall.map(key));
    expect(receiver.events.map(({ source }) => source)).not.toContain('/sources/elsewhere');
    expect(first).toMatchObject({
      source: '/sources/kitchen',
      type: 'earshot.sound.started',
      subject: heard[0]!.label,
      data: { source: kitchen, model: 'cnn-test-1', onsetSeconds: heard[0]!.onsetSeconds },
    });
    expect(receiver.headers[0]!.authorization).toBe(
      `Basic ${Buffer.from('me:hidden-password').toString('base64')}`,
    );
  });

  it('wait for nobody when the service stops, and no log line has the address', async () => {
    service.child.kill('SIGTERM');
    expect(await service.exitCode()).toBe(0);
    logged.push(...service.lines);
    expect(JSON.stringify(logged)).toContain('events are delivered again');
    expect(JSON.stringify(logged) + service.stderr).not.toMatch(/hidden|whsec/);
  });
});
