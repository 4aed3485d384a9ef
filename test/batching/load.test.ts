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

describe('the pace of answers', () => {
  it('foretells how long a newcomer stays: ten inside, one answer every 50 ms', async () => {
    const clock = new FakeClock();
    const pace = new Throughput(clock);
    expect(pace.predictMs()).toBe(0);
    for (let k = 0; k < 10; k += 1) pace.enter();
    for (let k = 0; k < 100; k += 1) {
      await clock.advance(50);
      pace.leave(true);
      pace.enter();
    }
    expect(pace.inside).toBe(10);
    expect(pace.predictMs()).toBeGreaterThan(0.97 * 11 * 50);
    expect(pace.predictMs()).toBeLessThan(1.03 * 11 * 50);
  });

  it('is not told by a lone caller’s own pauses, nor by who was called off', async () => {
    const clock = new FakeClock();
    const pace = new Throughput(clock);
    for (let k = 0; k < 5; k += 1) {
      pace.enter();
      await clock.advance(1000);
      pace.leave(true);
    }
    pace.enter();
    pace.enter();
    await clock.advance(10);
    pace.leave(false);
    expect(pace.predictMs()).toBe(0);
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
