import { createFilterDesigner } from '../../../shared/signal/filter-designer';
import { EventLoopQueue } from '../../../shared/batching/event-loop-queue';
import { designFilter } from '../../../shared/signal/resample-filter';
import type { PredictionMessage } from '../../../shared/contracts/stream';
import { SoundClock } from '../../../services/classifier/stream/sound/sound-clock';
import { FakeClock } from '../../support/fake-clock';
import { FakeInference, scoresOf } from '../../support/fake-inference';
import { fakeModel, startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { randomNumbers, square } from '../../support/signals';
import { StreamClient } from '../../support/stream-client';

describe('a stream’s work on the event loop', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness();
  });
  afterEach(() => stopHarness(harness));

  it('for silence sent faster than real time lets everything else have its turn, and costs its sender time', async () => {
    const client = await StreamClient.open(harness.port);
    client.send({ type: 'start', sampleRate: 8000, events: null });
    await client.first('ready');
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    count();
    const startedMs = performance.now();
    // 65.5 s in one message.
    client.sendBytes(new Uint8Array(2 ** 20));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    counting = false;
    const predictions = client.of('prediction');
    expect([predictions.length, predictions.every(({ silent }) => silent)]).toEqual([130, true]);
    // 10 ms a window while the engine's own price is not known; those of the last few seconds are not
    // waited for.
    expect(performance.now() - startedMs).toBeGreaterThan(1000);
    expect(turns).toBeGreaterThan(100);
  });

  it('brings samples near the largest float to full scale, and says so: resampling would make them infinite', async () => {
    const client = await StreamClient.open(harness.port);
    client.send({ type: 'start', sampleRate: 48_000, encoding: 'pcm_f32le' });
    const loud = Float32Array.from({ length: 96_000 }, (_, index) => (index % 240 < 120 ? 3.4e38 : -3.4e38));
    client.sendBytes(new Uint8Array(loud.buffer));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(client.of('notice').map(({ notice }) => notice)).toEqual(['beyond-full-scale']);
    // A square wave of full scale.
    expect(client.of('prediction').map(({ level }) => Math.abs(level) < 1)).toEqual([true, true, true]);
  });

  it.each([
    ['the networks are given it', false, 0.05],
    ['it is taken from them', true, 0],
  ])('takes a microphone’s offset away before the level gate where %s', async (_, removeOffset, given) => {
    const frontEnd = { ...harness.model.manifest.frontEnds[0], removeOffset };
    const model = fakeModel(() => Promise.resolve(new FakeInference()), harness.metrics, 64, {
      frontEnds: [frontEnd],
    });
    await model.started;
    harness.promote(model);
    const random = randomNumbers(5);
    const room = Float32Array.from({ length: 32_000 }, () => 0.05 + 1e-4 * (random() - 0.5));
    const predictions = async (start: object): Promise<PredictionMessage[]> => {
      const listener = await StreamClient.open(harness.port);
      listener.send({ type: 'start', sampleRate: 16_000, ...start });
      listener.sendAudio(room);
      listener.send({ type: 'stop' });
      expect(await listener.closed()).toBe(1000);
      return listener.of('prediction');
    };
    const gated = await predictions({});
    expect(gated.map(({ silent, level }) => [silent, level < -80])).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
    const [judged] = await predictions({ silenceDbfs: null });
    expect(judged!.predictions[0]!.probability).toBeCloseTo(Math.max(...scoresOf(given)), 3);
  });

  it('does not grow with messages that hold nothing', async () => {
    const client = await StreamClient.open(harness.port);
    client.send({ type: 'start', sampleRate: 16_000 });
    for (let k = 0; k < 20_000; k += 1) client.sendBytes(new Uint8Array(0));
    client.sendAudio(square(16_000, 16_000, 0.5));
    client.send({ type: 'stop' });
    expect(await client.closed()).toBe(1000);
    expect(client.of('prediction')).toHaveLength(1);
  });
});

describe('turns', () => {
  const busy = (ms: number): void => {
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs);
  };

  it('are over after a few milliseconds, and callers take them one after another', async () => {
    const turns = new EventLoopQueue();
    const order: string[] = [];
    const piece = (caller: string, name: string): Promise<void> =>
      turns.run(caller, () => {
        order.push(name);
        busy(6);
      });
    const all = Promise.all([
      ...[piece('a', 'a1'), piece('a', 'a2'), piece('a', 'a3')],
      ...[piece('b', 'b1'), piece('b', 'b2')],
    ]);
    setImmediate(() => order.push('something else'));
    await all;
    expect(order.filter((name) => name !== 'something else')).toEqual(['a1', 'a2', 'b1', 'a3', 'b2']);
    expect(order.indexOf('something else')).toBeLessThan(3);
  });

  it('go on behind a piece that fails', async () => {
    const turns = new EventLoopQueue();
    await turns.run('a', () => {
      busy(6);
    });
    const failing = turns.run('a', () => {
      throw new Error('broken');
    });
    const next = turns.run('a', () => 'fine');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('fine');
  });
});

describe('a filter designed on its own thread', () => {
  it('is the same, is designed once for several that ask at once, and for nobody who left', async () => {
    const designer = createFilterDesigner();
    const stay = new AbortController().signal;
    const leave = new AbortController();
    const first = designer.design(44_101, 16_000, 'a', stay);
    const gone = designer.design(44_102, 16_000, 'a', leave.signal);
    const same = designer.design(44_101, 16_000, 'b', stay);
    leave.abort();
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' });
    expect(await first).toEqual(designFilter(16_000, 44_101));
    expect(await same).toBe(await first);
    expect(await designer.design(44_101, 16_000, 'c', stay)).toBe(await first);
    await designer.close();
    await expect(designer.design(8000, 16_000, 'a', stay)).rejects.toMatchObject({ code: 'draining' });
  });

  it('is never larger than a mebibyte, at any rate', () => {
    for (const [up, down] of [
      [44_100, 383_999],
      [44_100, 4001],
      [147, 1280],
      [882, 5000],
    ] as const) {
      expect(designFilter(up, down).rows.byteLength).toBeLessThanOrEqual(2 ** 20);
    }
  });
});

it('a sender that paused may be a few seconds ahead of the clock afterwards, however long it paused', async () => {
  const clock = new FakeClock();
  const sound = new SoundClock(clock);
  for (let k = 0; k < 100; k += 1) {
    await clock.advance(100);
    sound.advance(0.1);
  }
  expect(sound.aheadSeconds).toBeCloseTo(0, 5);
  await clock.advance(3_600_000);
  sound.advance(60);
  expect(sound.aheadSeconds).toBeCloseTo(55, 5);
});
