import request from 'supertest';
import { settled, until } from '../../support/fake-clock';
import { RawConnection, uploadHead } from '../../support/raw-connection';
import { startHarness, stopHarness, type Harness, type HarnessOptions } from '../../support/service-harness';

let harness: Harness;
let open: RawConnection[] = [];

async function start(options: HarnessOptions): Promise<void> {
  harness = await startHarness(options);
}
afterEach(async () => {
  for (const connection of open) connection.hangUp();
  open = [];
  await stopHarness(harness);
});

const health = 'GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n';

function connection(): RawConnection {
  const opened = new RawConnection(harness.port);
  open.push(opened);
  return opened;
}

/** Connections that have said something, and what they heard. */
async function openWith(count: number, text: string, until = ''): Promise<RawConnection[]> {
  const opened: RawConnection[] = [];
  for (let k = 0; k < count; k += 1) {
    const next = connection();
    await next.send(text);
    await next.until(until);
    opened.push(next);
  }
  return opened;
}

const causes = async (cause: string): Promise<number> => {
  const text = await harness.metrics.registry.metrics();
  return Number(new RegExp(`^earshot_overload_total{cause="${cause}"} (\\d+)$`, 'm').exec(text)?.[1]);
};

describe('connections', () => {
  it.each([
    ['idle ones', health, 'alive'],
    ['those with half a head', 'GET /healthz HTTP/1.1\r\nX-Slow: ', ''],
    ['those that say nothing', '', ''],
  ])('of one address have half of all; %s make room, the longest-waiting first', async (_, text, heard) => {
    await start({ connections: { maxConnections: 8 } });
    const [first, ...others] = await openWith(4, text, heard);
    await openWith(1, health, 'alive');
    await first!.untilClosed();
    await openWith(1, health, 'alive');
    await others[0]!.untilClosed();
    // The youngest of the old ones is as good as before.
    await others[2]!.send(text.endsWith(': ') ? 'x\r\nHost: test\r\n\r\n' : health);
    await others[2]!.until('alive');
    expect(await causes('connections')).toBe(2);
  });

  it('of a trusted proxy may be all of them', async () => {
    await start({ connections: { maxConnections: 6 }, trustedProxies: '127.0.0.1' });
    const [first, second] = await openWith(6, health, 'alive');
    await openWith(1, health, 'alive');
    await first!.untilClosed();
    await second!.send('GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n');
    expect(await second!.until('ready')).toContain('alive');
  });

  it('that are answered make room for nobody: the newcomer is refused until one is free', async () => {
    await start({ connections: { maxConnections: 4 } });
    harness.inference.hold();
    const upload = `${uploadHead(3)}1 1`;
    const busy = [connection(), connection()];
    for (const one of busy) await one.send(upload);
    await until(() => harness.admission.unanswered === 2);
    const refused = connection();
    expect(await refused.untilClosed()).toBe('');
    harness.inference.release();
    for (const one of busy) await one.until('200 OK');
    await openWith(1, health, 'alive');
  });

  it('whose client takes nothing of its answers are given up', async () => {
    await start({ connections: { unreadMs: 150 } });
    const slow = connection();
    slow.socket.pause();
    await slow.send('GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(120));
    while ((await connections()) === 0) await settled();
    while ((await connections()) > 0) await settled();
    // One that only waits long for its answer is not.
    harness.inference.hold();
    const patient = connection();
    await patient.send(`${uploadHead(3)}1 1`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    harness.inference.release();
    expect(await patient.until('HTTP/1.1')).toContain('200 OK');
  });

  it('carry pipelined requests one after another, a few at a turn of the event loop, and not without end', async () => {
    await start({});
    const fair = connection();
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns += 1;
      if (counting) setImmediate(count);
    };
    count();
    await fair.send('GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(100));
    await until(() => fair.received.split('HTTP/1.1 200').length === 101);
    counting = false;
    expect(turns).toBeGreaterThan(8);
    const greedy = connection();
    await greedy.send(health.repeat(2000));
    expect((await greedy.untilClosed()).split('alive').length).toBeLessThan(200);
  });
});

const connections = (): Promise<number> =>
  new Promise((resolve) => {
    harness.server.getConnections((_, count) => {
      resolve(count);
    });
  });

describe('recordings on their way', () => {
  it('take no place: others are answered meanwhile, however many there are', async () => {
    await start({ maxRequests: 2 });
    for (let inside = 2; inside <= 6; inside += 2) {
      await openWith(2, `${uploadHead(100)}1`);
      await until(() => harness.admission.unanswered === inside);
      // For a moment each has a place kept; then none has.
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const answers = await Promise.all(
      ['1 1', '2 1'].map((text) => request(harness.server).post('/classify').send(Buffer.from(text))),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [slow] = open;
    await slow!.send(`${' '.repeat(96)} 1 `);
    expect(await slow!.until('HTTP/1.1')).toContain('200 OK');
  });

  it('that come byte by byte are given up with 408', async () => {
    await start({ graceMs: 50 });
    const drip = connection();
    await drip.send(`${uploadHead(5000)}1`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await drip.send('1');
    expect(await drip.until('request-timeout')).toContain('408 ');
  });

  it('have so much memory in all: the slowest of the caller with the most is given up with 429', async () => {
    await start({ maxHeldBytes: 10_000, trustedProxies: '127.0.0.1' });
    const from = (address: string): string => `X-Forwarded-For: ${address}`;
    const [greedy, small] = [connection(), connection()];
    await small.send(`${uploadHead(9000, from('192.0.2.2'))}${' '.repeat(1000)}`);
    await greedy.send(`${uploadHead(9000, from('192.0.2.1'))}${' '.repeat(6000)}`);
    await until(() => harness.admission.unanswered === 2);
    const quick = request(harness.server).post('/classify').set('X-Forwarded-For', '192.0.2.1');
    const quickAnswer = quick.send(Buffer.from(`1 1${' '.repeat(4000)}`));
    expect((await quickAnswer).status).toBe(200);
    expect(await greedy.until('overloaded')).toMatch(/ 429 [^]*Retry-After: 5/);
    await small.send(`1 1${' '.repeat(7997)}`);
    await small.until('200 OK');
    expect(await causes('upload-memory')).toBe(1);
  });
});
