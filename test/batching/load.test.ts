import { BatchCost } from '../../shared/batching/batch-cost';
import { LaneQueue, type Lane } from '../../shared/batching/lanes';
import { Throughput } from '../../shared/batching/throughput';
import { FakeClock } from '../support/fake-clock';
import { randomNumbers } from '../support/signals';

describe('what a batch costs', () => {
  it('is in proportion to its size while only one size was seen', () => {
    const cost = new BatchCost();
    expect(cost.predictMs(4)).toBe(0);
    cost.learn(2, 30);
    expect(cost.predictMs(8)).toBe(120);
  });

  it('is learnt as a fixed part and one for each item, through noise', () => {
    const [cost, random] = [new BatchCost(), randomNumbers(4)];
    for (let k = 0; k < 400; k += 1) {
      const items = 1 + Math.floor(16 * random());
      cost.learn(items, 10 + 5 * items + 2 * (random() - 0.5));
    }
    expect(cost.predictMs(1)).toBeGreaterThan(13.5);
    expect(cost.predictMs(1)).toBeLessThan(16.5);
    expect(cost.predictMs(16)).toBeGreaterThan(88);
    expect(cost.predictMs(16)).toBeLessThan(92);
  });

  it('follows an engine that becomes slower', () => {
    const cost = new BatchCost();
    for (let k = 0; k < 200; k += 1) cost.learn(4, 20);
    for (let k = 0; k < 60; k += 1) cost.learn(4, 200);
    expect(cost.predictMs(4)).toBeGreaterThan(190);
  });
});

describe('the pace of a caller’s answers', () => {
  /** So many of a caller’s stay inside, and one is answered every so often. */
  const run = async (
    pace: Throughput,
    clock: FakeClock,
    caller: string,
    answers: number,
    everyMs: number,
  ) => {
    for (let k = 0; k < answers; k += 1) {
      await clock.advance(everyMs);
      pace.leave(caller, true);
      pace.enter(caller);
    }
  };

  it('foretells how long one more stays: ten inside, one answer every 50 ms', async () => {
    const clock = new FakeClock();
    const pace = new Throughput(clock);
    for (let k = 0; k < 10; k += 1) pace.enter('a');
    await run(pace, clock, 'a', 100, 80);
    expect(pace.predictMs('a', 10)).toBeGreaterThan(0.97 * 11 * 80);
    expect(pace.predictMs('a', 10)).toBeLessThan(1.03 * 11 * 80);
  });

  it('follows within twenty answers, and falls while there are none, for as long as that lasts', async () => {
    const clock = new FakeClock();
    const pace = new Throughput(clock);
    pace.enter('a');
    await run(pace, clock, 'a', 100, 10);
    await run(pace, clock, 'a', 20, 40);
    expect(pace.predictMs('a', 1)).toBeGreaterThan(2 * 27);
    const before = pace.predictMs('a', 9);
    await clock.advance(1000);
    expect(pace.predictMs('a', 9)).toBeGreaterThan(2 * before);
    await clock.advance(20_000);
    expect(pace.predictMs('a', 9)).toBeGreaterThan(10_000);
  });

  it('is a caller’s own: the long recordings of others say nothing of it, nor do its pauses', async () => {
    const clock = new FakeClock();
    const pace = new Throughput(clock);
    for (let k = 0; k < 6; k += 1) pace.enter('long');
    await run(pace, clock, 'long', 2, 20_000);
    pace.enter('short');
    await run(pace, clock, 'short', 50, 100);
    pace.leave('short', true);
    await clock.advance(60_000);
    expect(pace.predictMs('short', 1)).toBeLessThan(250);
    expect(pace.predictMs('long', 6)).toBeGreaterThan(60_000);
    // Whoever has nothing inside is not held to what it sent before; of a stranger little is taken for
    // granted.
    expect(pace.predictMs('long', 0)).toBe(0);
    expect(pace.predictMs('stranger', 19)).toBe(1000);
  });

  it('is kept of those that are inside, and of the latest others', () => {
    const pace = new Throughput(new FakeClock());
    pace.enter('here');
    for (let k = 0; k < 1000; k += 1) {
      pace.enter(`guest ${k}`);
      pace.leave(`guest ${k}`, true);
    }
    expect(pace.known).toBe(256);
    pace.leave('here', true);
    expect(pace.predictMs('here', 1)).toBeLessThan(100);
  });
});

describe('two lanes for one engine', () => {
  const queueOf = (share: number, counts: Readonly<Record<Lane, number>>): LaneQueue<Lane, unknown> => {
    const queue = new LaneQueue<Lane, unknown>(share);
    for (const lane of ['upload', 'stream'] as const) {
      for (let k = 0; k < counts[lane]; k += 1) queue.add([lane], 0, lane, '');
    }
    return queue;
  };
  const streamsIn = (batch: readonly { item: Lane }[]): number =>
    batch.filter(({ item }) => item === 'stream').length;

  it.each([1, 4, 16])(
    'streams get four places of five in batches of %i while uploads wait, and no more',
    (size) => {
      const queue = queueOf(0.8, { stream: 400, upload: 400 });
      let [taken, streams] = [0, 0];
      while (taken < 320) {
        const batch = queue.take(size);
        taken += batch.length;
        streams += streamsIn(batch);
      }
      expect(streams / taken).toBeCloseTo(0.8, 1);
    },
  );

  it('whoever is alone gets every place', () => {
    expect(streamsIn(queueOf(0.8, { stream: 9, upload: 0 }).take(8))).toBe(8);
    expect(streamsIn(queueOf(0.8, { stream: 0, upload: 9 }).take(8))).toBe(0);
    expect(queueOf(0.8, { stream: 2, upload: 9 }).take(8)).toHaveLength(8);
  });

  it('streams go first', () => {
    expect(queueOf(0.8, { stream: 1, upload: 3 }).take(1)[0]!.item).toBe('stream');
  });
});
