import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { DeadLetters } from '../../../services/classifier/events/dead-letters';
import { Delivery } from '../../../services/classifier/events/delivery';
import type { Destination, Outcome, Parcel } from '../../../services/classifier/events/destination';
import { DiskQueue } from '../../../services/classifier/events/disk-queue';
import { createPublisher } from '../../../services/classifier/events/event-publisher';
import type { Place } from '../../../services/classifier/events/segment';
import type { CloudEvent } from '../../../shared/contracts/cloud-event';
import { Metrics } from '../../../shared/observability/metrics';
import { sampleEvent } from '../../support/event-samples';
import { FakeClock, settled, until } from '../../support/fake-clock';

const minuteMs = 60_000;
const delivered: Outcome = { kind: 'delivered' };
const failed: Outcome = { kind: 'retry', reason: 'it answered 500' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-events-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** A receiver whose answers a test decides. */
class Receiver implements Destination {
  readonly name = 'http';
  readonly host = 'receiver';
  readonly attempts: { readonly event: CloudEvent; readonly atMs: number }[] = [];
  answer: (event: CloudEvent) => Outcome | Promise<Outcome> = () => delivered;
  onBack = (): void => undefined;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async deliver({ event }: Parcel): Promise<Outcome> {
    this.attempts.push({ event, atMs: this.#clock.now() });
    return this.answer(event);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A queue that tells whether it is being read: the clock stands still meanwhile. */
class WatchedQueue extends DiskQueue {
  reads = 0;

  override async read(place: Place): Promise<Parcel> {
    this.reads++;
    try {
      return await super.read(place);
    } finally {
      this.reads--;
    }
  }
}

interface Setup {
  /** Moves the clock on in steps until the condition holds. */
  readonly advanceUntil: (condition: () => boolean, stepMs?: number) => Promise<void>;
  readonly clock: FakeClock;
  readonly receiver: Receiver;
  readonly delivery: Delivery;
  readonly logLines: Record<string, unknown>[];
  /** What the disk did wrong. */
  readonly troubles: readonly unknown[];
  /** The value of `earshot_events_NAME`, all reasons together. */
  readonly metric: (name: string) => Promise<number>;
}

/** What a start of the service makes, on the folder of this test. */
function setUp({ maxBytes = 2 ** 20, maxAgeMs = 72 * 60 * minuteMs } = {}): Setup {
  const clock = new FakeClock();
  const receiver = new Receiver(clock);
  const metrics = new Metrics([]);
  const logLines: Record<string, unknown>[] = [];
  const logger = pino(
    {},
    { write: (line: string) => logLines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const troubles: unknown[] = [];
  const queue = new WatchedQueue({
    folder,
    maxBytes,
    clock,
    onTrouble: (error) => troubles.push(error),
  });
  const delivery = new Delivery({
    destination: receiver,
    queue,
    deadLetters: new DeadLetters(folder),
    maxAgeMs,
    clock,
    random: () => 0.5,
    metrics: metrics.events,
    logger,
  });
  const metric = async (name: string): Promise<number> => {
    const found = await metrics.registry.getSingleMetric(`earshot_events_${name}`)!.get();
    return found.values
      .filter(({ labels }) => labels['destination'] === 'http')
      .reduce((sum, { value }) => sum + value, 0);
  };
  const advanceUntil = async (condition: () => boolean, stepMs = 250): Promise<void> => {
    while (!condition()) {
      await clock.advance(stepMs);
      await until(() => queue.reads === 0);
      await settled();
    }
  };
  return { clock, receiver, delivery, logLines, troubles, metric, advanceUntil };
}

const idsOf = (receiver: Receiver, source?: string): string[] =>
  receiver.attempts
    .filter(({ event }) => source === undefined || event.data.source?.name === source)
    .map(({ event }) => event.id);

describe('the delivery of events', () => {
  it('tries again after pauses that double up to a minute, and delivers after an hour away', async () => {
    const { clock, receiver, delivery, logLines, troubles, metric, advanceUntil } = setUp();
    await delivery.start();
    receiver.answer = () => (clock.now() < 60 * minuteMs ? failed : delivered);
    delivery.push(sampleEvent('kitchen'));
    await until(() => receiver.attempts.length === 1);
    await advanceUntil(() => clock.now() > 62 * minuteMs);
    const pauses = receiver.attempts.slice(1).map(({ atMs }, n) => atMs - receiver.attempts[n]!.atMs);
    // With 0.5 for the random number a pause is three quarters of the full one.
    expect(pauses.slice(0, 8).map((ms) => Math.round(ms / 750))).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(45_000);
    expect(receiver.attempts.at(-1)!.atMs).toBeLessThan(61 * minuteMs);
    expect(new Set(idsOf(receiver)).size).toBe(1);
    expect([await metric('delivered_total'), await metric('waiting')]).toEqual([1, 0]);
    expect(await metric('retried_total')).toBe(receiver.attempts.length - 1);
    expect(logLines.map(({ msg }) => msg)).toEqual([
      'events cannot be delivered; they wait, and it is tried again',
      'events are delivered again',
    ]);
    await delivery.close();
    expect(troubles).toEqual([]);
  });

  it('keeps the order of a source, and lets others pass one whose event is not taken', async () => {
    const { receiver, delivery, advanceUntil } = setUp();
    await delivery.start();
    const kitchen = Array.from({ length: 4 }, () => sampleEvent('kitchen'));
    const hall = Array.from({ length: 4 }, () => sampleEvent('hall'));
    let refusals = 3;
    receiver.answer = ({ id }) => (id === kitchen[1]!.id && refusals-- > 0 ? failed : delivered);
    kitchen.forEach((event, index) => {
      delivery.push(event);
      delivery.push(hall[index]!);
    });
    await advanceUntil(() => receiver.attempts.length === 8 + 3);
    const [first, second, third, fourth] = kitchen.map(({ id }) => id);
    expect(idsOf(receiver, 'kitchen')).toEqual([first, second, second, second, second, third, fourth]);
    expect(idsOf(receiver, 'hall')).toEqual(hall.map(({ id }) => id));
    // Others have recovered the receiver meanwhile; this event's own pauses double all the same.
    const times = receiver.attempts.filter(({ event }) => event.id === second).map(({ atMs }) => atMs);
    expect(times.slice(1).map((ms, n) => ms - times[n]!)).toEqual([750, 1500, 3000]);
    const hallDone = receiver.attempts.map(({ event }) => event.id).indexOf(hall[3]!.id);
    expect(hallDone).toBeLessThan(receiver.attempts.map(({ event }) => event.id).indexOf(third!));
    await delivery.close();
  });

  it('leaves a receiver alone for as long as it asks', async () => {
    const { receiver, delivery, advanceUntil } = setUp();
    await delivery.start();
    let isFirst = true;
    receiver.answer = () => {
      const outcome: Outcome = isFirst
        ? { kind: 'retry', reason: 'it answered 429', afterMs: 10 * minuteMs }
        : delivered;
      isFirst = false;
      return outcome;
    };
    delivery.push(sampleEvent('kitchen'));
    await until(() => receiver.attempts.length === 1);
    delivery.push(sampleEvent('hall'));
    await advanceUntil(() => receiver.attempts.length === 3, 10_000);
    expect(receiver.attempts[1]!.atMs).toBe(10 * minuteMs);
    await delivery.close();
  });

  it('keeps what is refused, and what is too old, with the reason', async () => {
    const { clock, receiver, delivery, metric, advanceUntil } = setUp({ maxAgeMs: 5 * minuteMs });
    await delivery.start();
    const [refused, old] = [sampleEvent('kitchen'), sampleEvent('hall')];
    receiver.answer = ({ id }) =>
      id === refused.id ? { kind: 'refused', reason: 'it answered 422' } : failed;
    delivery.push(refused);
    delivery.push(old);
    await advanceUntil(() => clock.now() > 7 * minuteMs);
    const letters = (await readFile(join(folder, 'dead.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { reason: string; event: CloudEvent });
    expect(letters.map(({ reason, event }) => [reason, event])).toEqual([
      ['it answered 422', refused],
      ['too old after a failed attempt: it answered 500', old],
    ]);
    expect([await metric('dead_total'), await metric('waiting')]).toEqual([2, 0]);
    await delivery.close();
  });

  it('sends no more to a receiver that is gone, keeps what waits, and tries after the next start', async () => {
    const first = setUp();
    await first.delivery.start();
    first.receiver.answer = () => ({ kind: 'gone', reason: 'it answered 410' });
    const event = sampleEvent('kitchen');
    first.delivery.push(event);
    await first.advanceUntil(() => first.logLines.length > 0);
    first.delivery.push(sampleEvent('hall'));
    await first.clock.advance(120 * minuteMs);
    expect(first.receiver.attempts).toHaveLength(1);
    expect(first.logLines[0]).toMatchObject({
      level: 50,
      reason: 'it answered 410',
      msg: expect.stringContaining('is gone for good'),
    });
    expect([await first.metric('stopped'), await first.metric('waiting')]).toEqual([1, 2]);
    await first.delivery.close();

    const second = setUp();
    await second.delivery.start();
    await until(() => second.receiver.attempts.length === 2);
    expect(idsOf(second.receiver, 'kitchen')).toEqual([event.id]);
    await second.delivery.close();
  });

  it('delivers after a restart what an earlier process left, once, before what is new', async () => {
    const first = setUp();
    await first.delivery.start();
    const events = Array.from({ length: 6 }, () => sampleEvent('kitchen'));
    // The last one stays without an answer, as when the process is killed.
    first.receiver.answer = ({ id }) => (id === events[3]!.id ? new Promise(() => undefined) : delivered);
    for (const event of events.slice(0, 5)) first.delivery.push(event);
    await until(() => first.receiver.attempts.length === 4);
    const [segment] = (await readdir(folder)).filter((name) => name.endsWith('.events'));
    // What a torn write or a power failure leaves.
    await appendFile(join(folder, segment!), '{"specversion":"1.0","id"');

    const second = setUp();
    second.delivery.push(events[5]!);
    await second.delivery.start();
    await until(() => second.receiver.attempts.length === 3);
    expect(idsOf(second.receiver)).toEqual(events.slice(3).map(({ id }) => id));
    expect([await second.metric('dropped_total'), await second.metric('waiting')]).toEqual([1, 0]);
    expect(second.logLines.map(({ msg }) => msg)).toEqual([
      'events were lost: their lines in EVENTS_DIR are damaged',
      'events were waiting',
    ]);
    await second.delivery.close();

    const third = setUp();
    await third.delivery.start();
    expect([await third.metric('waiting'), await third.metric('queue_bytes')]).toEqual([0, 0]);
    await third.delivery.close();
  });

  it('drops the oldest of a full queue, counts and logs them, and never exceeds its size', async () => {
    const { clock, receiver, delivery, logLines, metric, advanceUntil } = setUp();
    await delivery.start();
    receiver.answer = () => failed;
    const events = Array.from({ length: 4000 }, () => sampleEvent('kitchen'));
    for (const event of events) delivery.push(event);
    expect(await metric('queue_bytes')).toBeLessThanOrEqual(2 ** 20);
    expect(await metric('queue_bytes')).toBeGreaterThan(2 ** 20 * 0.8);
    receiver.answer = () => delivered;
    await advanceUntil(() => receiver.attempts.at(-1)?.event.id === events.at(-1)!.id);
    while ((await metric('waiting')) > 0) await settled();
    const dropped = await metric('dropped_total');
    expect((await metric('delivered_total')) + dropped).toBe(4000);
    const tail = idsOf(receiver).slice(-1000);
    expect(tail).toEqual(events.slice(-1000).map(({ id }) => id));
    await clock.advance(2 * minuteMs);
    const logged = logLines.filter(({ msg }) => String(msg).includes('EVENTS_QUEUE_MAX_BYTES'));
    expect(logged.reduce((sum, line) => sum + Number(line['events']), 0)).toBe(dropped);
    expect((await readdir(folder)).filter((name) => name.endsWith('.events')).length).toBeLessThanOrEqual(1);
    await delivery.close();
  });

  it('counts events that the disk does not take, and goes on', async () => {
    const { delivery, receiver, metric, logLines } = setUp();
    await delivery.start();
    await rm(folder, { recursive: true });
    delivery.push(sampleEvent('kitchen'));
    expect(await metric('dropped_total')).toBe(1);
    expect(logLines.map(({ msg }) => msg)).toEqual([
      'events were lost: EVENTS_DIR cannot be written or read',
    ]);
    expect(receiver.attempts).toEqual([]);
    await delivery.close();
    folder = await mkdtemp(join(tmpdir(), 'earshot-events-'));
  });
});

describe('the filter of events', () => {
  const passing = (filter: Parameters<typeof createPublisher>[0], data: object): boolean => {
    const events: CloudEvent[] = [];
    const sound = { ...sampleEvent('kitchen').data, ...data };
    createPublisher(filter, [{ push: (event) => events.push(event) }])(sound);
    return events.length === 1;
  };
  const all = { labels: [], sources: [], minConfidence: 0 };

  it.each([
    [true, all, {}],
    [true, { ...all, labels: ['cat', 'dog'] }, {}],
    [false, { ...all, labels: ['cat'] }, {}],
    [true, { ...all, sources: ['kitchen'] }, {}],
    [false, { ...all, sources: ['hall'] }, {}],
    [false, { ...all, sources: ['hall'] }, { source: undefined }],
    [true, all, { source: undefined }],
    [true, { ...all, minConfidence: 0.9 }, {}],
    [false, { ...all, minConfidence: 0.91 }, {}],
    [true, { ...all, minConfidence: 0.91 }, { event: 'ended', peakConfidence: 0.95 }],
  ])('lets through: %s, with %j, of %j', (expected, filter, data) => {
    expect(passing(filter, data)).toBe(expected);
  });
});
