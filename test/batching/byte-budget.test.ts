import { ByteBudget, type Room } from '../../shared/batching/byte-budget';
import { AppError } from '../../shared/errors/app-error';
import { settled } from '../support/fake-clock';

/** Of 320 bytes 40 are kept for small requests, which are those of at most 10. */
const setUp = () => {
  const budget = new ByteBudget(320);
  const admitted: string[] = [];
  const ask = async (name: string, bytes: number, signal?: AbortSignal): Promise<Room> => {
    const room = await budget.take({ caller: name.split(' ')[0]!, bytes, signal });
    admitted.push(name);
    return room;
  };
  return { budget, admitted, ask };
};

describe('a budget of bytes', () => {
  it('is all of a caller that is alone, and goes to others first as soon as they come', async () => {
    const { budget, admitted, ask } = setUp();
    const rooms = [await ask('greedy 1', 140), await ask('greedy 2', 140)];
    const waiting = [ask('greedy 3', 140), ask('other 1', 140), ask('other 2', 140)];
    await settled();
    expect([budget.heldBytes, budget.waiting]).toEqual([280, 3]);
    rooms[0]!.release();
    rooms[0]!.release();
    await settled();
    expect(admitted.slice(2)).toEqual(['other 1']);
    rooms[1]!.release();
    await settled();
    // Both have a place of equal size now; before that the greedy one had none left.
    expect(admitted.slice(2)).toEqual(['other 1', 'greedy 3']);
    (await waiting[0]!).release();
    await Promise.all(waiting);
    expect(budget.heldBytes).toBe(280);
  });

  it('lets no smaller request overtake a large one for ever', async () => {
    const { admitted, ask } = setUp();
    const rooms = [await ask('a 1', 140), await ask('b 1', 100)];
    const waiting = [ask('c large', 280), ask('d middle', 20)];
    await settled();
    expect(admitted).toEqual(['a 1', 'b 1']);
    for (const room of rooms) room.release();
    await waiting[0];
    expect(admitted.at(-1)).toBe('c large');
    (await waiting[0]!).release();
    await waiting[1];
  });

  it('keeps a part for small requests, which do not wait for large ones, nor large ones for them', async () => {
    const { budget, admitted, ask } = setUp();
    const large = await ask('a large', 280);
    const small = await Promise.all(['b 1', 'b 2', 'c 1', 'c 2'].map((name) => ask(name, 10)));
    const waiting = [ask('b 3', 10), ask('d large', 280)];
    await settled();
    expect(budget.heldBytes).toBe(320);
    large.release();
    await settled();
    // The large one has its part, and the small one waits for the end of another small one.
    expect(admitted.at(-1)).toBe('d large');
    small[2]!.release();
    await Promise.all(waiting);
    expect(budget.heldBytes).toBe(320);
  });

  it('takes back what was too much, and gives it to those who wait', async () => {
    const { budget, ask } = setUp();
    const room = await ask('a', 280);
    const waiting = ask('b', 140);
    room.shrinkTo(140);
    await waiting;
    room.shrinkTo(200);
    expect([room.bytes, budget.heldBytes]).toEqual([140, 280]);
  });

  it('forgets who went away, and says why; those behind may fit then', async () => {
    const { budget, ask } = setUp();
    await ask('a', 140);
    const gone = new AbortController();
    const waiting = [ask('b', 280, gone.signal), ask('c', 100)];
    await settled();
    expect(budget.waiting).toBe(2);
    gone.abort(new AppError('overloaded', 'Time is over.'));
    await expect(waiting[0]).rejects.toMatchObject({ code: 'overloaded' });
    await waiting[1];
    await expect(ask('d', 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
    expect([budget.heldBytes, budget.waiting]).toEqual([240, 0]);
  });

  it('serves what nobody waits for last, and nothing that would never fit', async () => {
    const { budget, admitted, ask } = setUp();
    const room = await ask('a', 280);
    const background = budget.take({ caller: '', bytes: 200, isBackground: true });
    const waiting = ask('a 2', 200);
    room.release();
    await waiting;
    expect([admitted, budget.waiting]).toEqual([['a', 'a 2'], 1]);
    (await waiting).release();
    await background;
    await expect(ask('a', 281)).rejects.toThrow(RangeError);
  });
});
