import { Places } from '../../shared/batching/places';
import { RecentRate } from '../../shared/batching/recent-rate';
import { SharedPlaces } from '../../shared/batching/shared-places';
import { FakeClock, settled } from '../support/fake-clock';

const never = new AbortController().signal;

describe('places for work', () => {
  it('one caller may have all of while it is alone, and no more than half where another comes', async () => {
    const places = new Places(4);
    const releases: (() => void)[] = [];
    for (let k = 0; k < 4; k += 1) releases.push(await places.take('greedy', never));
    expect([places.isFull('greedy'), places.isFull('other')]).toEqual([true, false]);

    const order: string[] = [];
    const waiting = ['other 1', 'greedy 5', 'other 2'].map(async (name) => {
      const release = await places.take(name.split(' ')[0]!, never);
      order.push(name);
      return release;
    });
    await settled();
    expect(order).toEqual([]);
    for (const release of releases.slice(0, 3)) {
      release();
      release();
      await settled();
    }
    // Whoever has the fewest comes first.
    expect(order).toEqual(['other 1', 'other 2', 'greedy 5']);
    await Promise.all(waiting);
    expect(places.isFull('other')).toBe(true);
    expect(places.isFull('third')).toBe(false);
  });

  it('are kept for those whose bodies come at once, and for nobody who called off', async () => {
    const places = new Places(2);
    const unexpect = places.expect('a');
    places.expect('a');
    expect(places.isFull('a')).toBe(true);
    unexpect();
    unexpect();
    expect(places.isFull('a')).toBe(false);
    const release = await places.take('a', never);
    await places.take('a', never);
    const gone = new AbortController();
    const waiting = places.take('b', gone.signal);
    gone.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    release();
    expect(places.isFull('b')).toBe(false);
  });
});

describe('places that are held for long', () => {
  const setUp = (most: number) => {
    const clock = new FakeClock();
    const places = new SharedPlaces(most, clock);
    const lost: string[] = [];
    const take = (name: string, use: number): (() => void) | undefined =>
      places.take(name.split(' ')[0]!, {
        use,
        giveUp: () => {
          lost.push(name);
        },
      });
    return { clock, places, lost, take };
  };

  it('go to a caller with fewer, until each has half', () => {
    const { places, lost, take } = setUp(4);
    for (const name of ['a 1', 'a 2', 'a 3', 'a 4']) take(name, 1);
    expect([places.hasRoom('a'), places.hasRoom('b')]).toEqual([false, true]);
    take('b 1', 1);
    take('b 2', 1);
    expect([lost, places.hasRoom('a'), places.hasRoom('b'), places.taken]).toEqual([
      ['a 4', 'a 3'],
      false,
      false,
      4,
    ]);
    expect(take('b 3', 1)).toBeUndefined();
    // Nobody has more than half: a third caller has to wait for one to leave.
    expect(places.hasRoom('c')).toBe(false);
  });

  it('that are not made use of go to anybody, after a while', async () => {
    const { clock, places, lost, take } = setUp(3);
    take('a 1', 1);
    take('a 2', 0);
    take('b 1', 0);
    expect(places.hasRoom('a')).toBe(false);
    await clock.advance(3000);
    take('a 3', 1);
    take('a 4', 1);
    expect(lost).toEqual(['a 2', 'b 1']);
    expect(places.hasRoom('a')).toBe(false);
  });

  it('are none where none are allowed', () => {
    const { places, take } = setUp(0);
    expect([places.hasRoom('a'), take('a 1', 1)]).toEqual([false, undefined]);
  });
});

it('a recent rate tells of the last ten seconds, and of a short life no more than there was', async () => {
  const clock = new FakeClock();
  const rate = new RecentRate(clock);
  rate.add(1);
  expect(rate.perSecond).toBeLessThan(1.1);
  for (let k = 0; k < 600; k += 1) {
    await clock.advance(100);
    rate.add(0.2);
  }
  expect(rate.perSecond).toBeCloseTo(2, 1);
  await clock.advance(30_000);
  expect(rate.perSecond).toBeLessThan(0.2);
});
