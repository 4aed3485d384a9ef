import { DecodingQueue, dueMs } from '../../../shared/decode/pool/decoding-queue';

interface Item {
  readonly caller: string;
  readonly isBackground: boolean;
  readonly name: string;
  readonly dueMs: number;
}

let arrivals = 0;
const item = (name: string, due = ++arrivals): Item => ({
  caller: name[0]!,
  isBackground: name.startsWith('-'),
  name,
  dueMs: due,
});

/**
 * The order in which so many decoders take what waits; each takes the next when its turn in the round
 * comes.
 */
function orderOf(names: readonly string[], decoders: number, running: readonly string[] = []): string[] {
  const queue = new DecodingQueue<Item>();
  for (const name of names) queue.add(item(name));
  const busy = running.map(item);
  const order: string[] = [];
  for (;;) {
    if (busy.length >= decoders) busy.shift();
    const next = queue.next(busy);
    if (next === undefined) return order;
    order.push(next.name);
    busy.push(next);
  }
}

describe('what waits for a decoder', () => {
  it('is taken in order of arrival from one caller', () => {
    expect(orderOf(['a1', 'a2', 'a3'], 2)).toEqual(['a1', 'a2', 'a3']);
  });

  it('lets small ones of the same caller pass large ones, which do not wait for ever', () => {
    const queue = new DecodingQueue<Item>();
    const add = (name: string, megabytes: number, arrivedMs: number): void => {
      queue.add(item(name, dueMs(arrivedMs, megabytes * 1e6)));
    };
    add('a large', 20, 0);
    add('a larger', 24, 0);
    add('a small', 0.2, 9_000);
    add('b large', 20, 9_000);
    add('a late', 0.2, 10_000);
    expect(queue.hasBefore(item('running', dueMs(0, 18e6)))).toBe(false);
    expect(queue.hasBefore(item('running', dueMs(0, 19e6)))).toBe(true);
    const order = Array.from({ length: 5 }, () => queue.next([])?.name);
    // Callers take turns whatever they send.
    expect(order).toEqual(['a small', 'b large', 'a large', 'a late', 'a larger']);
  });

  it('is taken from callers in turn, however many one has', () => {
    expect(orderOf(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1'], 1)).toEqual([
      ...['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'],
    ]);
  });

  it('is first taken from who has the fewest decoders, so that none has more than half of them while others wait', () => {
    expect(orderOf(['a5', 'a6', 'b1', 'b2', 'b3'], 4, ['a1', 'a2', 'a3', 'a4'])).toEqual([
      ...['b1', 'b2', 'a5', 'a6', 'b3'],
    ]);
  });

  it('comes behind all callers where nobody waits for it', () => {
    expect(orderOf(['-1', '-2', 'a1', 'b1', 'a2'], 1)).toEqual(['a1', 'b1', 'a2', '-1', '-2']);
  });

  it('can leave', () => {
    const queue = new DecodingQueue<Item>();
    const [first, second] = [item('a1'), item('a2')];
    queue.add(first);
    queue.add(second);
    expect([queue.remove(first), queue.remove(first), queue.size]).toEqual([true, false, 1]);
    expect(queue.removeAll()).toEqual([second]);
    expect(queue.next([])).toBeUndefined();
  });
});
