import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { createClient } from '../../shared/client/client';
import type { StreamState } from '../../shared/client/stream';
import type { StreamMessage } from '../../shared/client/stream-contract';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { StreamClient, pcm16 } from '../support/stream-client';

const sampleRate = 16_000;
const start = { type: 'start', sampleRate, hopSeconds: 0.5, silenceDbfs: null };

/**
 * Passes connections on to one of two services, the one that the test names, and can lose all that are
 * open.
 */
class Balancer {
  readonly #server = createServer((socket) => {
    this.#pass(socket);
  });
  readonly #sockets = new Set<Socket>();
  readonly #ports: readonly number[];
  target = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Ends every connection without a close frame, as a proxy that is restarted does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #pass(socket: Socket): void {
    const onwards = connect(this.#ports[this.target]!, '127.0.0.1');
    for (const [from, to] of [
      [socket, onwards],
      [onwards, socket],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

let models: string;
let services: ServiceProcess[];
let balancer: Balancer;

beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'earshot-models-'));
  await publishRandomModel(models, 'cnn-test-1');
  services = [0, 1].map(() => new ServiceProcess({ MODELS_DIR: models }));
  const urls = await Promise.all(services.map((service) => service.url()));
  await Promise.all(services.map((service) => service.line('loaded and warmed up')));
  balancer = new Balancer(urls.map((url) => Number(new URL(url).port)));
  await balancer.listen();
});
afterAll(async () => {
  balancer.close();
  await Promise.all(services.map((service) => service.kill()));
  await rm(models, { recursive: true });
});
beforeEach(() => {
  balancer.target = 0;
});

/** A tone that rises, so that no two windows are alike. */
function siren(fromSeconds: number, toSeconds: number): Uint8Array<ArrayBuffer> {
  const samples = Float32Array.from({ length: (toSeconds - fromSeconds) * sampleRate }, (_, k) => {
    const seconds = fromSeconds + k / sampleRate;
    return 0.5 * Math.sin(2 * Math.PI * (200 + 50 * seconds) * seconds);
  });
  return Uint8Array.from(pcm16(samples));
}

describe('a stream behind a balancer, its connection lost', () => {
  it('is refused in words by the other service, and is still where it was', async () => {
    const first = await StreamClient.open(balancer.port);
    first.send(start);
    const { streamId } = await first.first('ready');
    first.sendBytes(siren(0, 2));
    const { seq } = await first.first('prediction');
    balancer.cut();
    await first.closed();

    balancer.target = 1;
    const elsewhere = await StreamClient.open(balancer.port);
    elsewhere.send({ type: 'resume', streamId, lastSeq: seq });
    const { code, message } = await elsewhere.first('error');
    expect([code, message]).toEqual(['not-found', expect.stringContaining('Start a new one.')]);
    await elsewhere.closed();

    // As affinity brings it back.
    balancer.target = 0;
    const back = await StreamClient.open(balancer.port);
    back.send({ type: 'resume', streamId, lastSeq: seq });
    expect(await back.first('ready')).toMatchObject({ resumed: true, receivedBytes: 2 * 2 * sampleRate });
    back.send({ type: 'stop' });
    expect(await back.closed()).toBe(1000);
  });

  it('begins anew at the other where nothing was judged, says so, and its times go on', async () => {
    const messages: StreamMessage[] = [];
    const states: StreamState[] = [];
    let heard: () => void = () => undefined;
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise<void>((resolve) => (heard = resolve));
    };
    const client = createClient({
      baseUrl: `http://127.0.0.1:${balancer.port}`,
      createSocket: (address, protocols) => new WebSocket(address, [...protocols]),
    });
    const stream = client.openStream({
      settings: { sampleRate, channels: 1, encoding: 'pcm_s16le', hopSeconds: 0.5, silenceDbfs: null },
      onMessage: (message) => {
        messages.push(message);
        heard();
      },
      onState: (state) => {
        states.push(state);
        heard();
      },
    });
    const readies = (): Extract<StreamMessage, { type: 'ready' }>[] =>
      messages.filter((message) => message.type === 'ready');
    const predictions = (of = messages): Extract<StreamMessage, { type: 'prediction' }>[] =>
      of.filter((message) => message.type === 'prediction');
    stream.send(siren(0, 3));
    await until(() => predictions().length > 0);

    balancer.target = 1;
    balancer.cut();
    await until(() => readies().length === 2);
    stream.send(siren(3, 7));
    await stream.stop(60_000);

    const reasons = states.flatMap((state) => (state.kind === 'waiting' ? [state.reason.code] : []));
    expect(reasons).toEqual([expect.any(String), 'not-found']);
    expect(readies().map(({ resumed }) => resumed)).toEqual([false, false]);
    expect(readies()[0]!.streamId).not.toBe(readies()[1]!.streamId);
    const restart = messages.indexOf(readies()[1]!);
    const [before, after] = [messages.slice(0, restart), messages.slice(restart)].map((of) =>
      predictions(of),
    );
    expect(after![0]!.startSeconds).toBeCloseTo(before!.at(-1)!.endSeconds, 3);
    expect(after!.at(-1)!.endSeconds).toBeCloseTo(7, 3);
  });
});
