import { once } from 'node:events';
import { drain } from '../../../services/classifier/drain';
import type { SoundEvent } from '../../../shared/contracts/cloud-event';
import { until } from '../../support/fake-clock';
import { classes } from '../../support/fake-inference';
import { startHarness, stopHarness, type Harness, type HarnessOptions } from '../../support/service-harness';
import { pcm16, StreamClient } from '../../support/stream-client';
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

describe('a stream', () => {
  it('is answered from 1 s on, at every hop, and closed with 1000 after done', async () => {
    await start();
    const client = await begin({ topK: 2 });
    expect(client.of('ready')[0]).toMatchObject({
      resumed: false,
      sampleRate: 16_000,
      windowSeconds: 5,
      hopSeconds: 0.5,
      labels: classes,
      receivedBytes: 0,
      limits: { messageBytes: 1_048_576, resumeSeconds: 30 },
    });
    client.sendAudio(rain(6.2));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    const predictions = client.of('prediction');
    expect(predictions.map(({ startSeconds, endSeconds }) => `${startSeconds}-${endSeconds}`)).toEqual([
      ...['0-1', '0-1.5', '0-2', '0-2.5', '0-3', '0-3.5', '0-4', '0-4.5', '0-5', '0.5-5.5', '1-6'],
      '1.2-6.2',
    ]);
    expect(predictions[0]).toMatchObject({ label: 'dog', silent: false, skipped: 0 });
    expect(predictions[0]!.predictions).toHaveLength(2);
    expect(predictions[0]!.level).toBeCloseTo(0, 1);
    const seqs = client.messages.flatMap((message) => ('seq' in message ? [message.seq] : []));
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect(client.of('done')[0]).toMatchObject({
      reason: 'stopped',
      totals: { audioSeconds: 6.2, receivedBytes: 6.2 * rate * 2, predictions: 12, silent: 0, events: 1 },
    });
    expect(client.of('event').map(({ event, label }) => `${event} ${label}`)).toEqual([
      'started dog',
      'ended dog',
    ]);
  });

  it.each<[string, object | string | Buffer]>([
    ['the recorder’s last blob', pcm16(rain(1))],
    ['a second stop', { type: 'stop' }],
    ['another start', startMessage],
    ['a resume', { type: 'resume', streamId: 'x', lastSeq: 0 }],
    ['text that is no message', 'bye'],
    ['a long text', ' '.repeat(17 * 1024)],
  ])('behind stop passes over %s, and gives what was due', async (_, late) => {
    await start();
    harness.inference.hold();
    const client = await begin();
    client.sendAudio(rain(2));
    client.send({ type: 'stop' });
    if (late instanceof Buffer) client.sendBytes(late);
    else client.send(late);
    // The service has read what came late once it answers this.
    client.socket.ping('read');
    await once(client.socket, 'pong');
    harness.inference.release();
    expect([await client.closed(), client.of('error')]).toEqual([1000, []]);
    expect(client.of('prediction').map(({ endSeconds }) => endSeconds)).toEqual([1, 1.5, 2]);
    expect(client.of('done')[0]).toMatchObject({
      reason: 'stopped',
      totals: { audioSeconds: 2, receivedBytes: 2 * rate * 2 },
    });
  });

  it('that lost its connection behind stop gives what was due to who resumes it, and passes over what is late', async () => {
    await start();
    harness.inference.hold();
    const client = await begin();
    const { streamId } = await client.first('ready');
    client.sendAudio(rain(2));
    client.send({ type: 'stop' });
    client.socket.ping('read');
    await once(client.socket, 'pong');
    client.socket.terminate();
    await client.closed();
    const back = await StreamClient.open(harness.port);
    back.send({ type: 'resume', streamId, lastSeq: 0 });
    await back.first('ready');
    back.sendAudio(rain(1));
    back.send({ type: 'stop' });
    harness.inference.release();
    expect([await back.closed(), back.of('error')]).toEqual([1000, []]);
    expect(back.of('prediction')).toHaveLength(3);
    expect(back.of('done')[0]).toMatchObject({ totals: { audioSeconds: 2 } });
  });
  it('answers silence without the engine, and says so', async () => {
    await start();
    const client = await begin({ silenceDbfs: -70 });
    client.sendAudio(new Float32Array(3 * rate));
    client.sendAudio(rain(1));
    client.send({ type: 'stop' });
    await client.closed();
    expect(client.of('prediction').map(({ silent }) => silent)).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(client.of('prediction')[0]).toMatchObject({
      label: 'silence',
      confidence: null,
      predictions: [],
      level: -120,
    });
    expect(harness.inference.batchSizes.reduce((sum, size) => sum + size, 0)).toBe(2);
    expect(client.of('done')[0]!.totals.silent).toBe(5);
  });

  it('names its source in every event, to the service’s queue before the client, in the log and where the metric is bounded', async () => {
    const published: SoundEvent[] = [];
    await start({ publish: (sound) => published.push(sound) });
    const source = { name: 'Küche 1', tags: ['floor 1'] };
    const client = await begin({ source });
    const { streamId } = await client.first('ready');
    client.sendAudio(rain(6.2));
    client.send({ type: 'stop' });
    await client.closed();
    const events = client.of('event');
    expect(events.map((event) => event.source)).toEqual([source, source]);
    expect(published.map(({ event, label, source: of }) => [event, label, of])).toEqual([
      ['started', 'dog', source],
      ['ended', 'dog', source],
    ]);
    expect(new Set(published.map(({ stream }) => stream)).size).toBe(1);
    expect(JSON.stringify(published)).not.toContain(streamId);
    await until(() => harness.logLines.some(({ msg }) => msg === 'stream closed'));
    expect(harness.logLines.at(-1)).toMatchObject({ msg: 'stream closed', source });
    const text = await harness.metrics.registry.metrics();
    expect(text).toContain('earshot_source_events_total{source="other"} 1');
    expect(text).not.toContain('Küche');
  });

  it.each<[string, object, RegExp]>([
    ['a long name', { name: 'x'.repeat(65) }, /source\.name/],
    ['no name at all', { name: '' }, /source\.name/],
    ['a name with a line feed', { name: 'a\nb' }, /source\.name: .*control characters/],
    ['half of a pair of surrogates', { name: '\ud800' }, /source\.name/],
    ['too many tags', { tags: Array.from({ length: 17 }, (_, index) => String(index)) }, /source\.tags/],
    ['a long tag', { tags: ['x'.repeat(65)] }, /source\.tags\.0/],
    ['another field', { name: 'a', colour: 'red' }, /colour/],
  ])('is refused a source with %s', async (_, source, message) => {
    await start();
    const client = await StreamClient.open(harness.port);
    client.send({ ...startMessage, source });
    expect(await client.closed()).toBe(1007);
    expect(client.of('error')[0]!.message).toMatch(message);
  });

  it('starts events of a class at the threshold that the client names for it, whatever it says of all', async () => {
    await start();
    const told = async (events: object): Promise<string[]> => {
      const client = await begin({ events });
      client.sendAudio(rain(6.2));
      client.send({ type: 'stop' });
      expect(await client.closed()).toBe(1000);
      return client.of('event').map(({ event, label }) => `${event} ${label}`);
    };
    const heard = ['started dog', 'ended dog'];
    expect(await told({ thresholds: { dog: 1 } })).toEqual([]);
    expect(await told({ thresholds: { dog: 0.5, rain: 1 }, onThreshold: 1 })).toEqual(heard);
    expect(await told({ thresholds: { rain: 1 }, onThreshold: 0.5 })).toEqual(heard);
  });

  it('serves a live listener before uploads that wait', async () => {
    await start();
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const busy = fetch(`http://127.0.0.1:${harness.port}/classify`, { method: 'POST', body: '1 1' });
    await onEngine;
    const waiting = fetch(`http://127.0.0.1:${harness.port}/classify`, { method: 'POST', body: '2 12' });
    await until(() => harness.batcher.queuedItems === 4);
    const client = await begin({ events: null });
    client.sendAudio(rain(1));
    await until(() => harness.batcher.queuedItems === 5);
    const order: string[] = [];
    void client.first('prediction').then(() => order.push('stream'));
    const uploads = [busy, waiting].map((sent) => sent.then(() => order.push('upload')));
    harness.inference.release();
    await Promise.all([...uploads, client.first('prediction')]);
    expect(order.indexOf('stream')).toBeLessThan(2);
    client.socket.close();
  });
});

describe('how a stream is refused or ends, by close code', () => {
  const wrong: [
    name: string,
    code: number,
    error: string | undefined,
    act: (client: StreamClient) => void,
  ][] = [
    [
      'audio in a container that is none',
      1003,
      'unsupported-media',
      (c) => {
        c.send({ type: 'start', encoding: 'container' });
        c.sendBytes(Buffer.alloc(64, 'no'));
      },
    ],
    [
      'samples that are not numbers',
      1003,
      'non-finite-audio',
      (c) => {
        c.send({ ...startMessage, encoding: 'pcm_f32le' });
        c.sendBytes(Buffer.alloc(4000, 0xff));
      },
    ],
    [
      'text that is not JSON',
      1007,
      'malformed-request',
      (c) => {
        c.send('{"type":');
      },
    ],
    [
      'a message of no known type',
      1007,
      'malformed-request',
      (c) => {
        c.send({ type: 'begin' });
      },
    ],
    [
      'another program’s way of saying start',
      1007,
      'malformed-request',
      (c) => {
        c.send({ config: { sample_rate: rate } });
      },
    ],
    [
      'a misspelt option',
      1007,
      'malformed-request',
      (c) => {
        c.send({ ...startMessage, hopSecond: 1 });
      },
    ],
    [
      'PCM without a rate',
      1007,
      'malformed-request',
      (c) => {
        c.send({ type: 'start' });
      },
    ],
    [
      'a window longer than the model’s',
      1007,
      'malformed-request',
      (c) => {
        c.send({ ...startMessage, windowSeconds: 6 });
      },
    ],
    [
      'a hop longer than the window',
      1007,
      'malformed-request',
      (c) => {
        c.send({ ...startMessage, hopSeconds: 5.5 });
      },
    ],
    [
      'audio before start',
      1008,
      'wrong-order',
      (c) => {
        c.sendAudio(rain(0.1));
      },
    ],
    [
      'stop before start',
      1008,
      'wrong-order',
      (c) => {
        c.send({ type: 'stop' });
      },
    ],
    [
      'a second start',
      1008,
      'wrong-order',
      (c) => {
        c.send(startMessage);
        c.send(startMessage);
      },
    ],
    [
      'a resume of a stream that never was',
      1008,
      'not-found',
      (c) => {
        c.send({ type: 'resume', streamId: 'x', lastSeq: 0 });
      },
    ],
    [
      'a text message of 17 KiB',
      1009,
      'payload-too-large',
      (c) => {
        c.send(' '.repeat(17 * 1024));
      },
    ],
    [
      'a frame of more than 1 MiB',
      1009,
      undefined,
      (c) => {
        c.send(startMessage);
        c.sendBytes(Buffer.alloc(1024 * 1024 + 1));
      },
    ],
    [
      'a defect of ours',
      1011,
      'internal',
      (c) => {
        harness.inference.failWith(new TypeError('secret'));
        c.send(startMessage);
        c.sendAudio(rain(1));
      },
    ],
  ];
  it.each(wrong)('%s: %i', async (_, code, error, act) => {
    await start();
    const client = await StreamClient.open(harness.port);
    act(client);
    expect(await client.closed()).toBe(code);
    expect(client.of('error').map((message) => message.code)).toEqual(error === undefined ? [] : [error]);
    expect(JSON.stringify(client.messages)).not.toContain('secret');
    await until(() => harness.admission.streams === 0);
    const scraped = await harness.metrics.registry.metrics();
    expect(scraped.match(/earshot_stream_closed_total\{code="\d+"\} 1/g)).toEqual([
      `earshot_stream_closed_total{code="${code}"} 1`,
    ]);
  });

  it('says what is wrong with a message and what would be right', async () => {
    await start();
    const client = await StreamClient.open(harness.port);
    client.send({ ...startMessage, hopSeconds: 0.01, events: { onThreshold: 0.2, offThreshold: 0.4 } });
    expect((await client.first('error')).message).toMatch(
      /hopSeconds: .*0\.1.*events\.offThreshold: must not be above/,
    );
  });

  it.each<[string, object, RegExp]>([
    ['a class that the model does not have', { cow: 0.5 }, /thresholds of events: .*no class cow; .*dog/],
    ['a threshold beyond 1', { dog: 2 }, /events\.thresholds\.dog/],
    ['too many', Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [n, 0.5])), /at most 1000/],
  ])('thresholds of %s: 1007', async (_, thresholds, message) => {
    await start();
    const client = await StreamClient.open(harness.port);
    client.send({ ...startMessage, events: { thresholds } });
    expect(await client.closed()).toBe(1007);
    expect(client.of('error')[0]!.message).toMatch(message);
  });

  it('nothing sent after the handshake: 1008', async () => {
    await start({ tuning: { startMs: 30 } });
    const client = await StreamClient.open(harness.port);
    expect(await client.closed()).toBe(1008);
    expect(client.of('error')[0]!.message).toContain('No start came');
  });

  it('no audio for too long: 1008', async () => {
    await start({ tuning: { idleSeconds: 0.05, pingMs: 20 } });
    const client = await begin();
    expect(await client.closed()).toBe(1008);
    expect(client.of('error')[0]!.message).toContain('No audio came');
  });

  it('an engine that is lost twice: 1013', async () => {
    await start({ start: () => Promise.resolve(harness.inference) });
    await until(() => harness.admission.status.status === 'ready');
    const client = await begin();
    harness.inference.hold();
    client.sendAudio(rain(1));
    await harness.inference.nextBatch();
    harness.inference.die('out of memory');
    await harness.inference.nextBatch();
    harness.inference.die('out of memory');
    expect(await client.closed()).toBe(1013);
    expect(client.of('error')[0]).toMatchObject({ code: 'engine-unavailable' });
  });

  it('half-open: a client that answers no ping is given up after two', async () => {
    await start({ tuning: { pingMs: 20 } });
    const client = await StreamClient.open(harness.port, { autoPong: false });
    client.send(startMessage);
    expect(await client.closed()).toBe(1006);
    await until(() => harness.admission.streams === 0);
  });

  it('1001 when the service stops: a stream gets its last result and done, an idle connection just the code', async () => {
    await start();
    const idle = await StreamClient.open(harness.port);
    const client = await begin();
    client.sendAudio(rain(1.2));
    await client.until(() => client.of('prediction').length === 1);
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const drained = drain(harness.service, 5000);
    await onEngine;
    // It goes on sending, as live clients do.
    for (let k = 0; k < 5; k += 1) client.sendAudio(rain(0.1));
    await until(() => client.socket.bufferedAmount === 0);
    harness.inference.release();
    expect(await drained).toBe(true);
    expect([await client.closed(), await idle.closed()]).toEqual([1001, 1001]);
    expect(client.of('prediction').at(-1)).toMatchObject({ endSeconds: 1.2 });
    expect(client.of('done')[0]).toMatchObject({ reason: 'draining', retryAfterSeconds: 5 });
  });
});

describe('a connection that is lost', () => {
  const sound = rain(8);
  const pieces = Array.from({ length: 32 }, (_, k) => sound.subarray((k * rate) / 4, ((k + 1) * rate) / 4));
  const spoken = (client: StreamClient): string[] =>
    client.messages
      .filter(({ type }) => type === 'prediction' || type === 'event')
      .map((message) => JSON.stringify({ ...message, lagMs: 0 }));

  it.each([['notices'], ['does not notice']])(
    'is resumed without a gap, whether the service %s before',
    async (noticed) => {
      await start();
      const whole = await begin();
      for (const piece of pieces) whole.sendAudio(piece);
      whole.send({ type: 'stop' });
      await whole.closed();

      const first = await begin();
      for (const piece of pieces.slice(0, 13)) first.sendAudio(piece);
      await first.until(() => first.of('prediction').length >= 3);
      const seen = first.messages.slice();
      const { streamId } = first.of('ready')[0]!;
      if (noticed === 'notices') {
        first.socket.terminate();
        await until(() => harness.admission.streams === 0);
      }
      const lastSeq = Math.max(...seen.map((message) => ('seq' in message ? message.seq : 0)));
      const second = await StreamClient.open(harness.port);
      second.send({ type: 'resume', streamId, lastSeq });
      const { resumed, receivedBytes } = await second.first('ready');
      expect(resumed).toBe(true);
      second.sendBytes(pcm16(sound).subarray(receivedBytes));
      second.send({ type: 'stop' });
      expect(await second.closed()).toBe(1000);
      first.messages.length = 0;
      first.messages.push(...seen);
      expect([...spoken(first), ...spoken(second)]).toEqual(spoken(whole));
      expect(await first.closed()).toBe(noticed === 'notices' ? 1006 : 1008);
    },
  );

  it('is forgotten after a while', async () => {
    await start({ tuning: { resumeSeconds: 0.03 } });
    const client = await begin();
    const { streamId } = client.of('ready')[0]!;
    client.socket.terminate();
    await until(() => harness.admission.streams === 0);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const late = await StreamClient.open(harness.port);
    late.send({ type: 'resume', streamId, lastSeq: 0 });
    expect(await late.closed()).toBe(1008);
    expect(late.of('error')[0]!.code).toBe('not-found');
  });

  it('still gives its last words: done is sent again to a client that missed it', async () => {
    await start();
    const client = await begin();
    const { streamId } = client.of('ready')[0]!;
    client.sendAudio(rain(1));
    await client.first('prediction');
    harness.inference.hold();
    client.sendAudio(rain(0.5));
    client.send({ type: 'stop' });
    await harness.inference.nextBatch();
    client.socket.terminate();
    await until(() => harness.admission.streams === 0);
    harness.inference.release();
    const back = await StreamClient.open(harness.port);
    back.send({ type: 'resume', streamId, lastSeq: 1 });
    expect(await back.closed()).toBe(1000);
    expect(back.of('done')).toHaveLength(1);
  });
});
