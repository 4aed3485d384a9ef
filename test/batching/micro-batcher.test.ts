import { MicroBatcher, type BatcherOptions } from '../../shared/batching/micro-batcher';
import { deferred, type Deferred } from '../../shared/runtime/deferred';
import { AppError } from '../../shared/errors/app-error';
import { FakeClock, settled } from '../support/fake-clock';

/** An engine that answers only when the test says so; its answer names the question. */
function heldEngine() {
  const batches: { items: readonly string[]; answer: Deferred<readonly string[]> }[] = [];
  const run = (items: readonly string[]): Promise<readonly string[]> => {
    const answer = deferred<readonly string[]>();
    batches.push({ items, answer });
    return answer.promise;
  };
  const finish = async (number: number): Promise<void> => {
    const { items, answer } = batches[number]!;
    answer.resolve(items.map((item) => `answer to ${item}`));
    await settled();
  };
  return { batches, run, finish };
}

function setUp(overrides: Partial<BatcherOptions<string, string>> = {}) {
  const clock = new FakeClock();
  const engine = heldEngine();
  const batcher = new MicroBatcher<string, string>({
    run: engine.run,
    maxItems: 4,
    maxDelayMs: 10,
    maxQueuedItems: 8,
    clock,
    ...overrides,
  });
  return { clock, engine, batcher, sent: () => engine.batches.map(({ items }) => items) };
}

describe('when a batch goes', () => {
  it('sends a lone item to an idle engine at once, without any clock', () => {
    const { batcher, sent, clock } = setUp();
    void batcher.submit(['a']);
    expect(sent()).toEqual([['a']]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('holds an item for an expected one and sends both when it comes', () => {
    const { batcher, sent } = setUp();
    const arrived = batcher.expect();
    void batcher.submit(['a']);
    expect(sent()).toEqual([]);
    void batcher.submit(['b']);
    arrived();
    expect(sent()).toEqual([['a', 'b']]);
  });

  it('stops holding when the expected one does not come', () => {
    const { batcher, sent } = setUp();
    const arrived = batcher.expect();
    void batcher.submit(['a']);
    arrived();
    arrived();
    expect(sent()).toEqual([['a']]);
  });

  it('counts the delay from the first item, not the latest', async () => {
    const { batcher, clock, sent } = setUp();
    batcher.expect();
    void batcher.submit(['a']);
    await clock.advance(7);
    void batcher.submit(['b']);
    await clock.advance(2);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toEqual([['a', 'b']]);
  });

  it('sends a full batch although more is announced', () => {
    const { batcher, sent } = setUp();
    batcher.expect();
    void batcher.submit(['a', 'b', 'c']);
    expect(sent()).toEqual([]);
    void batcher.submit(['d', 'e']);
    expect(sent()).toHaveLength(1);
    expect(sent()[0]).toHaveLength(4);
  });

  it('collects what comes while the engine is busy, one batch at a time', async () => {
    const { batcher, engine, sent } = setUp();
    void batcher.submit(['a']);
    void batcher.submit(['b']);
    void batcher.submit(['c']);
    expect(sent()).toEqual([['a']]);
    await engine.finish(0);
    expect(sent()).toEqual([['a'], ['b', 'c']]);
  });
});

describe('whose answer is whose', () => {
  it('gives each caller its own, in the order of its items, across batches', async () => {
    const { batcher, engine } = setUp({ maxItems: 2 });
    const first = batcher.submit(['a1', 'a2', 'a3']);
    const second = batcher.submit(['b1']);
    await engine.finish(0);
    await engine.finish(1);
    expect(await second).toEqual([{ result: 'answer to b1', batch: 2 }]);
    expect((await first).map(({ result }) => result)).toEqual([
      'answer to a1',
      'answer to a2',
      'answer to a3',
    ]);
  });

  it('holds for 300 random callers, some of whom leave, with random sizes and engine times', async () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    const clock = new FakeClock();
    let largest = 0;
    const batcher = new MicroBatcher<number, number>({
      run: (items) => {
        largest = Math.max(largest, items.length);
        const { promise, resolve } = deferred<readonly number[]>();
        clock.setTimer(() => {
          resolve(items.map((item) => item * 2 + 1));
        }, random(20));
        return promise;
      },
      maxItems: 8,
      maxDelayMs: 5,
      maxQueuedItems: 100_000,
      clock,
    });
    let wrong = 0;
    let answered = 0;
    let left = 0;
    const callers = [];
    for (let caller = 0; caller < 300; caller++) {
      const items = Array.from({ length: random(12) }, (_, index) => caller * 1000 + index);
      const hangUp = new AbortController();
      const arrived = random(2) === 0 ? batcher.expect() : undefined;
      if (random(5) === 0) {
        clock.setTimer(() => {
          hangUp.abort();
        }, random(100));
      }
      callers.push(
        batcher.submit(items, { signal: hangUp.signal }).then(
          (outcomes) => {
            answered++;
            if (outcomes.length !== items.length) wrong++;
            outcomes.forEach(({ result }, index) => {
              if (result !== items[index]! * 2 + 1) wrong++;
            });
          },
          () => left++,
        ),
      );
      clock.setTimer(() => arrived?.(), random(30));
      if (random(3) === 0) await clock.advance(random(15));
    }
    await clock.advance(100_000);
    await Promise.all(callers);
    expect({ wrong, total: answered + left, queued: batcher.queuedItems }).toEqual({
      wrong: 0,
      total: 300,
      queued: 0,
    });
    expect(left).toBeGreaterThan(5);
    expect(largest).toBe(8);
  });
});

describe('fairness', () => {
  it('lets a caller with one item into the next batch past one with many', async () => {
    const { batcher, engine, sent } = setUp({ maxQueuedItems: 100 });
    void batcher.submit(Array.from({ length: 50 }, (_, i) => `long${i}`));
    void batcher.submit(['short']);
    await engine.finish(0);
    expect(sent()[1]).toContain('short');
  });

  it('lets short ones past a long one, and it past those that come later: it is done no later than by turns', async () => {
    const { batcher, engine, sent } = setUp({ maxItems: 2 });
    void batcher.submit(['busy']);
    void batcher.submit(['long1', 'long2', 'long3']);
    for (let k = 0; k < 8; k += 1) {
      for (const name of ['short', 'brief']) void batcher.submit([`${name}${k}`]);
      await engine.finish(k);
    }
    // By turns each of three waiting ones had an item of every three: long3 were the ninth.
    expect(sent().slice(0, 3)).toEqual([['busy'], ['short0', 'brief0'], ['short1', 'brief1']]);
    expect(sent().flat().slice(1, 10)).toContain('long3');
  });

  it('does ones of equal length in the order in which they came', async () => {
    const { batcher, engine, sent } = setUp({ maxItems: 2 });
    void batcher.submit(['busy']);
    for (const name of ['a', 'b', 'c']) void batcher.submit([`${name}1`, `${name}2`]);
    for (let k = 0; k < 3; k += 1) await engine.finish(k);
    expect(sent()).toEqual([['busy'], ['a1', 'a2'], ['b1', 'b2'], ['c1', 'c2']]);
  });
});

describe('when it is full', () => {
  it('refuses a group that does not fit whole, and says when to come back from the measured pace', async () => {
    const { batcher, engine, clock } = setUp();
    void batcher.submit(['first']);
    await clock.advance(3000);
    await engine.finish(0);
    void batcher.submit(['running']);
    void batcher.submit(['1', '2', '3', '4', '5', '6', '7']);
    await expect(batcher.submit(['8', '9'])).rejects.toMatchObject({
      code: 'overloaded',
      // 7 wait and 1 runs, 3 s each.
      details: { retryAfterSeconds: 24 },
    });
    expect(batcher.estimatedWaitMs('')).toBe(24_000);
    expect(batcher.queuedItems).toBe(7);
    void batcher.submit(['8']);
    expect(batcher.queuedItems).toBe(8);
  });

  it('refuses settings that cannot work', () => {
    expect(() => setUp({ maxItems: 9 })).toThrow('maxItems ≤ maxQueuedItems');
  });
});

describe('when a caller leaves', () => {
  it('drops its waiting items before the batch and frees their places', async () => {
    const { batcher, engine, sent } = setUp();
    void batcher.submit(['busy']);
    const hangUp = new AbortController();
    const gone = batcher.submit(['gone1', 'gone2'], { signal: hangUp.signal });
    void batcher.submit(['stays']);
    hangUp.abort();
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' });
    expect(batcher.queuedItems).toBe(1);
    await engine.finish(0);
    expect(sent()).toEqual([['busy'], ['stays']]);
  });

  it('answers it at once although its item is on the engine, and the others in that batch as usual', async () => {
    const { batcher, engine } = setUp();
    const arrived = batcher.expect();
    const hangUp = new AbortController();
    const gone = batcher.submit(['gone'], { signal: hangUp.signal });
    const stays = batcher.submit(['stays']);
    arrived();
    hangUp.abort();
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' });
    await engine.finish(0);
    expect(await stays).toEqual([{ result: 'answer to stays', batch: 1 }]);
  });

  it('takes nothing from a caller that had left already', async () => {
    const { batcher, sent } = setUp();
    await expect(batcher.submit(['a'], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    expect(sent()).toEqual([]);
  });
});

describe('when a batch fails', () => {
  it('fails only its own callers, drops their other items and goes on', async () => {
    const { batcher, engine, sent } = setUp({ maxItems: 1 });
    const failing = batcher.submit(['a1', 'a2']);
    const fine = batcher.submit(['b']);
    engine.batches[0]!.answer.reject(new Error('broken'));
    await expect(failing).rejects.toThrow('broken');
    await engine.finish(1);
    expect(await fine).toEqual([{ result: 'answer to b', batch: 2 }]);
    expect(sent()).toEqual([['a1'], ['b']]);
  });

  it('finds out which of its items it failed for, and answers the others', async () => {
    const poison = new AppError('internal', 'cannot be computed');
    const batches: (readonly string[])[] = [];
    const { batcher } = setUp({
      run: (items) => {
        batches.push(items);
        return items.includes('poison') ? Promise.reject(poison) : Promise.resolve(items);
      },
    });
    const arrived = batcher.expect();
    const fine = batcher.submit(['a']);
    const bad = batcher.submit(['poison', 'b']);
    const alsoFine = batcher.submit(['c']);
    arrived();
    await expect(bad).rejects.toBe(poison);
    expect(await fine).toEqual([{ result: 'a', batch: 2 }]);
    expect((await alsoFine)[0]).toMatchObject({ result: 'c' });
    // Behind its first failure nothing of a caller is computed any more.
    expect(batches).toEqual([['a', 'c', 'poison', 'b'], ['a'], ['c'], ['poison']]);
    expect(await batcher.submit(['d'])).toHaveLength(1);
  });

  it('tries nobody alone when it is the engine that failed', async () => {
    const { batcher, engine, sent } = setUp();
    const both = batcher.submit(['a', 'b']);
    engine.batches[0]!.answer.reject(new AppError('engine-unavailable', 'gone'));
    await expect(both).rejects.toThrow('gone');
    expect(sent()).toHaveLength(1);
  });

  it('is answered from another, item by item, when the engine gives too few results', async () => {
    const { batcher, engine } = setUp();
    const result = batcher.submit(['a', 'b']);
    engine.batches[0]!.answer.resolve(['only one']);
    await settled();
    engine.batches[1]!.answer.resolve([]);
    await expect(result).rejects.toThrow('0 results to a batch of 1');
  });

  it('is kept from it: an item that may not be computed fails its own caller alone', async () => {
    const { batcher, sent } = setUp({
      check: (item) => {
        if (item === 'poison') throw new AppError('non-finite-audio', 'infinite');
      },
    });
    const bad = batcher.submit(['a', 'poison', 'b', 'c', 'd']);
    await expect(bad).rejects.toMatchObject({ code: 'non-finite-audio' });
    expect([sent(), batcher.queuedItems]).toEqual([[], 0]);
    void batcher.submit(['fine']);
    expect(sent()).toEqual([['fine']]);
  });
});

describe('callers', () => {
  it('take turns, and the submissions of one have its turns one behind the other', async () => {
    const { batcher, engine, sent } = setUp({ maxItems: 2, maxQueuedItems: 20 });
    void batcher.submit(['0']);
    for (const name of ['a', 'b', 'c']) void batcher.submit([`${name}1`, `${name}2`], { caller: 'many' });
    void batcher.submit(['x1', 'x2'], { caller: 'few' });
    for (let k = 0; k < 4; k += 1) await engine.finish(k);
    expect(sent()).toEqual([['0'], ['a1', 'x1'], ['a2', 'x2'], ['b1', 'b2'], ['c1', 'c2']]);
  });

  it('with less than half of the queue have their half where others took all', async () => {
    const { batcher } = setUp({ maxItems: 1 });
    void batcher.submit(['on the engine']);
    const many = Array.from({ length: 8 }, (_, index) => `item ${index}`);
    void batcher.submit(many, { caller: 'greedy' });
    expect([batcher.isFull('greedy'), batcher.isFull('other')]).toEqual([true, false]);
    await expect(batcher.submit(['late'], { caller: 'greedy' })).rejects.toMatchObject({
      code: 'overloaded',
    });
    void batcher.submit(many.slice(4), { caller: 'other' });
    await expect(batcher.submit(['late'], { caller: 'other' })).rejects.toMatchObject({ code: 'overloaded' });
    void batcher.submit(many.slice(4), { caller: 'third' });
    // Twice the queue is the end for everybody.
    await expect(batcher.submit(['late'], { caller: 'fourth' })).rejects.toMatchObject({
      code: 'overloaded',
    });
    expect(batcher.queuedItems).toBe(16);
  });
});

describe('closing', () => {
  it('refuses newcomers, finishes what it accepted without waiting for company, then resolves', async () => {
    const { batcher, engine, sent } = setUp({ maxItems: 2 });
    batcher.expect();
    const accepted = batcher.submit(['a', 'b', 'c']);
    let closed = false;
    const closing = batcher.close().then(() => (closed = true));
    await expect(batcher.submit(['late'])).rejects.toMatchObject({ code: 'draining' });
    await engine.finish(0);
    expect(sent()).toEqual([['a', 'b'], ['c']]);
    expect(closed).toBe(false);
    await engine.finish(1);
    expect(await accepted).toHaveLength(3);
    await closing;
  });
});

describe('two batches in flight', () => {
  const both = { inFlight: 2, maxItems: 2 };

  it('begins the second one when it is full, and no third', async () => {
    const { batcher, sent, engine } = setUp(both);
    const answers = Promise.all(['a', 'b', 'c', 'd', 'e'].map((item) => batcher.submit([item])));
    // The first item found the engine idle.
    expect(sent()).toEqual([['a'], ['b', 'c']]);
    await engine.finish(0);
    expect(sent()).toEqual([['a'], ['b', 'c'], ['d', 'e']]);
    await engine.finish(1);
    await engine.finish(2);
    expect((await answers).map(([outcome]) => outcome!.result)).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((item) => `answer to ${item}`),
    );
  });

  it('begins one that is not full when its oldest item has waited, or the engine is idle', async () => {
    const { batcher, sent, engine, clock } = setUp(both);
    void batcher.submit(['a']);
    void batcher.submit(['b']);
    expect(sent()).toEqual([['a']]);
    await clock.advance(10);
    expect(sent()).toEqual([['a'], ['b']]);
    void batcher.submit(['c']);
    await engine.finish(0);
    expect(sent()).toEqual([['a'], ['b']]);
    await engine.finish(1);
    expect(sent()).toEqual([['a'], ['b'], ['c']]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('serves callers in turns', async () => {
    const { batcher, sent, engine } = setUp(both);
    void batcher.submit(['a1', 'a2', 'a3', 'a4', 'a5', 'a6'], { caller: 'a' });
    void batcher.submit(['b1', 'b2'], { caller: 'b' });
    await engine.finish(0);
    await engine.finish(1);
    expect(sent().slice(2)).toEqual([
      ['a5', 'b1'],
      ['a6', 'b2'],
    ]);
  });

  it('waits for both when it closes', async () => {
    const { batcher, engine } = setUp(both);
    const answers = Promise.all([batcher.submit(['a', 'b']), batcher.submit(['c', 'd'])]);
    let closed = false;
    const closing = batcher.close().then(() => (closed = true));
    await engine.finish(1);
    expect(closed).toBe(false);
    await engine.finish(0);
    await closing;
    expect(await answers).toHaveLength(2);
  });

  it('predicts from what each batch added, not from when it began', async () => {
    const { batcher, engine, clock } = setUp(both);
    const answers = Promise.all([batcher.submit(['a', 'b']), batcher.submit(['c', 'd'])]);
    await clock.advance(20);
    await engine.finish(0);
    await clock.advance(20);
    await engine.finish(1);
    await answers;
    expect(batcher.msPerItem).toBe(10);
  });

  it('takes limits that change with its engine, and refuses those that run nothing', async () => {
    const { batcher, sent, engine } = setUp();
    void batcher.submit(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(sent()).toEqual([['a', 'b', 'c', 'd']]);
    batcher.setLimits(both);
    expect(sent()).toEqual([
      ['a', 'b', 'c', 'd'],
      ['e', 'f'],
    ]);
    batcher.setLimits({ maxItems: 1 });
    void batcher.submit(['g', 'h']);
    await engine.finish(0);
    expect(sent()).toHaveLength(2);
    await engine.finish(1);
    expect(sent()[2]).toEqual(['g']);
    expect(() => {
      batcher.setLimits({ maxItems: 9 });
    }).toThrow('maxItems ≤ maxQueuedItems');
  });
});
