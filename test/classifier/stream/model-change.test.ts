import { encoderFrontEnd } from '../../../shared/contracts/front-end';
import type { Manifest } from '../../../shared/contracts/manifest';
import { until } from '../../support/fake-clock';
import { classes, FakeInference } from '../../support/fake-inference';
import { fakeModel, startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';
import { square } from '../../support/signals';

const rate = 16_000;
let harness: Harness;

beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => stopHarness(harness));

/** What the fake engine takes for its first class, so many seconds long. */
function sound(seconds: number): Float32Array {
  return square(Math.round(seconds * rate), rate, 0.5);
}

async function begin(overrides: object = {}): Promise<StreamClient> {
  const client = await StreamClient.open(harness.port);
  client.send({ type: 'start', encoding: 'pcm_s16le', sampleRate: rate, ...overrides });
  await client.first('ready');
  return client;
}

/** Promotes a model that differs by `changes`. @returns its engine, which hears what it is asked */
async function promote(changes: Partial<Manifest>): Promise<FakeInference & { readonly lengths: number[] }> {
  const lengths: number[] = [];
  const inference = new FakeInference();
  const infer = inference.infer.bind(inference);
  inference.infer = (windows) => {
    lengths.push(...windows.map(({ length }) => length));
    return infer(windows);
  };
  const model = fakeModel(() => Promise.resolve(inference), harness.metrics, 64, {
    version: 'cnn-fake-2',
    ...changes,
  });
  await model.started;
  harness.promote(model);
  return Object.assign(inference, { lengths });
}

describe('a stream whose model changes', () => {
  it('goes on with the new one at the next window, is told once, and misses none', async () => {
    const client = await begin();
    client.sendAudio(sound(2));
    await until(() => client.of('prediction').length === 3);
    const { batchSizes } = await promote({});
    expect(batchSizes).toEqual([]);
    client.sendAudio(sound(2));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(client.of('notice')).toMatchObject([
      { notice: 'model-changed', model: { version: 'cnn-fake-2' }, labels: classes },
    ]);
    const kinds = client.messages.flatMap(({ type }) =>
      type === 'prediction' || type === 'notice' ? [type] : [],
    );
    expect(kinds).toEqual([
      ...Array<string>(3).fill('prediction'),
      'notice',
      ...Array<string>(4).fill('prediction'),
    ]);
    expect(client.of('prediction').map(({ endSeconds }) => endSeconds)).toEqual([1, 1.5, 2, 2.5, 3, 3.5, 4]);
    expect(batchSizes.reduce((sum, size) => sum + size, 0)).toBe(4);
    // The old one has nothing more to do.
    await until(() => harness.inference.closed);
    // The same sound goes on: it is still one event.
    expect(client.of('event').map(({ event, eventId }) => `${event} ${eventId}`)).toEqual([
      'started 1',
      'ended 1',
    ]);
  });

  it('keeps the old one until its window is judged', async () => {
    const client = await begin();
    harness.inference.hold();
    const asked = harness.inference.nextBatch();
    client.sendAudio(sound(1));
    await asked;
    await promote({});
    expect(harness.inference.closed).toBe(false);
    expect(client.of('notice')).toEqual([]);
    harness.inference.release();
    await client.first('prediction');
    await until(() => harness.inference.closed);
    client.socket.terminate();
  });

  it('has its sound at the rate of the new one, on the same clock', async () => {
    const client = await begin();
    client.sendAudio(sound(6));
    await until(() => client.of('prediction').length === 11);
    const { lengths } = await promote({ frontEnds: [{ ...encoderFrontEnd, removeOffset: false }] });
    client.sendAudio(sound(1.3));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    const ends = client.of('prediction').map(({ endSeconds }) => endSeconds);
    expect(ends.slice(11, 13)).toEqual([6.5, 7]);
    expect(ends[13]).toBeCloseTo(7.3, 3);
    expect(lengths).toEqual([160_000, 160_000, 160_000]);
    expect(client.of('done')[0]!.totals.audioSeconds).toBeCloseTo(7.3, 3);
    // A constant stays the constant that it was.
    expect(client.of('prediction').at(-1)!.level).toBeCloseTo(client.of('prediction')[0]!.level, 1);
  });

  it('hears no more at once than the new one does', async () => {
    const client = await begin();
    client.sendAudio(sound(6));
    await until(() => client.of('prediction').length === 11);
    const short = { ...harness.model.manifest.frontEnds[0], windowSeconds: 2 };
    const { lengths } = await promote({ frontEnds: [short] });
    client.sendAudio(sound(1));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(lengths).toEqual([32_000, 32_000]);
    expect(client.of('prediction').slice(11)).toMatchObject([
      { startSeconds: 4.5, endSeconds: 6.5 },
      { startSeconds: 5, endSeconds: 7 },
    ]);
  });

  it('is closed with the reason when its hop would leave sound unheard', async () => {
    const client = await begin({ hopSeconds: 3 });
    client.sendAudio(sound(2.5));
    await until(() => client.of('prediction').length === 1);
    await promote({ frontEnds: [{ ...harness.model.manifest.frontEnds[0], windowSeconds: 2 }] });
    client.sendAudio(sound(3));
    expect(await client.closed()).toBe(1008);
    expect(client.of('error')[0]).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('2 s at once'),
    });
  });

  it('ends what is going on when the classes are others, and counts events on', async () => {
    const client = await begin();
    client.sendAudio(sound(4));
    await until(() => client.of('event').length === 1);
    await promote({ classes: ['saw', 'wind', 'bell', 'horn'] });
    client.sendAudio(sound(3));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(client.of('event').map(({ event, eventId, label }) => `${event} ${eventId} ${label}`)).toEqual([
      'started 1 dog',
      'ended 1 dog',
      'started 2 saw',
      'ended 2 saw',
    ]);
    expect(client.of('notice')[0]).toMatchObject({ labels: ['saw', 'wind', 'bell', 'horn'] });
    expect(client.of('done')[0]!.totals.events).toBe(2);
  });
});

describe('a recording whose model changes on the way', () => {
  it('is answered by the model that it came to', async () => {
    harness.inference.hold();
    const asked = harness.inference.nextBatch();
    const body = Buffer.from('1.5 12');
    const answer = fetch(`http://127.0.0.1:${harness.port}/classify`, { method: 'POST', body });
    await asked;
    const { batchSizes } = await promote({ classes: ['saw', 'wind', 'bell', 'horn'] });
    const next = await fetch(`http://127.0.0.1:${harness.port}/classify`, { method: 'POST', body });
    expect(await next.json()).toMatchObject({ label: 'wind', model: { version: 'cnn-fake-2' } });
    expect(harness.inference.closed).toBe(false);
    harness.inference.release();
    expect(await (await answer).json()).toMatchObject({ label: 'rain', model: { version: 'cnn-fake-1' } });
    expect(batchSizes).toEqual([4]);
    await until(() => harness.inference.closed);
  });

  it.each<[string, object, string[]]>([
    ['ends what lasts, as its thresholds are others', {}, ['started', 'ended']],
    ['goes on with the client’s own thresholds', { onThreshold: 0.5 }, ['started', 'ended']],
  ])('%s', async (_, events, wanted) => {
    const client = await begin({ events });
    client.sendAudio(sound(3));
    await until(() => client.of('event').length === 1);
    await promote({ events: { thresholds: classes.map(() => 1), falseAlarmsPerHour: 1 } });
    client.sendAudio(sound(3));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(client.of('event').map(({ event }) => event)).toEqual(wanted);
    const isOwn = 'onThreshold' in events;
    expect(client.of('event')[1]!.offsetSeconds).toBe(isOwn ? 6 : 3);
  });
});
