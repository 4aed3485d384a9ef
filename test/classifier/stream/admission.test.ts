import { until } from '../../support/fake-clock';
import { startHarness, stopHarness, type Harness, type HarnessOptions } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';
import { square } from '../../support/signals';

let harness: Harness;

async function start(options: HarnessOptions = {}): Promise<void> {
  harness = await startHarness(options);
}
afterEach(() => stopHarness(harness));

const rate = 16_000;
const startMessage = { type: 'start', sampleRate: rate, silenceDbfs: null };
/** Sound that the fake engine takes for rain. */
const rain = (seconds: number): Float32Array => square(seconds * rate, rate, 0.999);

async function begin(overrides: object = {}): Promise<StreamClient> {
  const client = await StreamClient.open(harness.port);
  client.send({ ...startMessage, ...overrides });
  await client.first('ready');
  return client;
}

describe('who may open a stream', () => {
  it('as many as there is room for; beyond: 503 and Retry-After at the handshake, and room again afterwards', async () => {
    await start({ maxStreams: 2 });
    const open = [await begin(), await begin()];
    const refused = await StreamClient.refusal(harness.port);
    expect(refused).toMatchObject({ status: 503, body: { code: 'overloaded', status: 503 } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    open[0]!.socket.close();
    await until(() => harness.admission.streams === 1);
    const next = await begin();
    for (const client of [open[1]!, next]) client.socket.close();
  });

  it('as many as the engine keeps up with, by what its batches cost and what streams really ask for', async () => {
    await start();
    harness.inference.hold();
    const client = await begin();
    client.sendAudio(rain(1));
    await harness.inference.nextBatch();
    await new Promise((resolve) => setTimeout(resolve, 100));
    harness.inference.release();
    await client.first('prediction');
    client.socket.close();
    // 80 % of an engine that takes 100 ms a window, or a little more, is 8 windows a second at most.
    const most = 800 / harness.batcher.msPerItem;
    expect(most).toBeLessThan(8.1);
    const refusal = async (hopSeconds: number): Promise<void> => {
      const refused = await StreamClient.open(harness.port);
      refused.send({ ...startMessage, hopSeconds });
      expect(await refused.closed()).toBe(1013);
      expect(refused.of('error')[0]).toMatchObject({ code: 'overloaded', retryAfterSeconds: 10 });
    };
    await refusal(0.1);
    // What is claimed takes nothing from others while it is not made use of.
    const hopSeconds = 1 / (0.6 * most);
    const claims: StreamClient[] = [];
    for (let k = 0; k < 4; k += 1) claims.push(await begin({ hopSeconds }));
    // What is made use of does.
    harness.inference.hold();
    claims[0]!.sendAudio(rain(3));
    await harness.inference.nextBatch();
    await refusal(hopSeconds);
    harness.inference.release();
    for (const open of claims) open.socket.close();
  });

  it('one that is made use of in place of one that is not, where all are taken', async () => {
    await start({ maxStreams: 2 });
    const idle = await begin();
    const live = await begin();
    expect((await StreamClient.refusal(harness.port)).status).toBe(503);
    const feeding = setInterval(() => {
      live.sendAudio(rain(0.25));
    }, 250);
    await new Promise((resolve) => setTimeout(resolve, 3100));
    const next = await begin();
    expect(await idle.closed()).toBe(1013);
    expect(idle.of('error')[0]).toMatchObject({ code: 'overloaded', retryAfterSeconds: 10 });
    clearInterval(feeding);
    expect([live.closeCode, harness.admission.streams]).toEqual([undefined, 2]);
    for (const open of [live, next]) open.socket.close();
  });

  it('each caller half of them, where another caller has all', async () => {
    await start({ maxStreams: 4, trustedProxies: '127.0.0.1' });
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
    const greedy = [];
    for (let k = 0; k < 4; k += 1)
      greedy.push(await StreamClient.open(harness.port, from('2001:db8::' + String(k))));
    expect((await StreamClient.refusal(harness.port, from('2001:db8::9'))).status).toBe(503);
    const others = [];
    for (let k = 0; k < 2; k += 1) others.push(await StreamClient.open(harness.port, from('192.0.2.1')));
    expect([await greedy[3]!.closed(), await greedy[2]!.closed()]).toEqual([1013, 1013]);
    expect((await StreamClient.refusal(harness.port, from('192.0.2.1'))).status).toBe(503);
    for (const open of [...greedy, ...others]) open.socket.close();
  });

  it('not while the service is starting or stopping', async () => {
    await start({ start: () => new Promise(() => undefined) });
    expect((await StreamClient.refusal(harness.port)).body).toMatchObject({ status: 503, code: 'starting' });
    void harness.admission.drain();
    expect((await StreamClient.refusal(harness.port)).body).toMatchObject({ status: 503, code: 'draining' });
  });

  it('pages of this host and of allowed origins only', async () => {
    await start({ allowedOrigins: ['https://app.example.com'] });
    const headers = (origin: string) => ({ origin });
    const refused = await StreamClient.refusal(harness.port, headers('https://evil.example'));
    expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await StreamClient.refusal(harness.port, headers('null'))).status).toBe(403);
    for (const origin of [`http://127.0.0.1:${harness.port}`, 'https://app.example.com']) {
      const client = await StreamClient.open(harness.port, headers(origin));
      client.socket.close();
    }
  });

  it('at /stream only; without an upgrade it says what to do', async () => {
    await start();
    const plain = await fetch(`http://127.0.0.1:${harness.port}/stream`);
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket']);
    expect((await StreamClient.refusal(harness.port, {}, [], '/classify')).status).toBe(405);
  });
});
