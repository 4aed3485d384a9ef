import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readApiKeys } from '../../../services/classifier/access/api-keys';
import { TokenBucket } from '../../../services/classifier/access/token-bucket';
import { FakeClock, until } from '../../support/fake-clock';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';

const folder = mkdtempSync(join(tmpdir(), 'earshot-keys-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function keysFile(content: unknown): string {
  const file = join(folder, 'keys.json');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

describe('API keys', () => {
  const file = (): string =>
    keysFile({
      keys: [
        { name: 'kitchen', sha256: sha256('secret-1'), requestsPerMinute: 12, streams: 1 },
        { name: 'garden', sha256: sha256('secret-2') },
      ],
    });
  let harness: Harness;
  const classify = async (authorization?: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${harness.port}/classify`, {
      method: 'POST',
      body: '1 1',
      headers: authorization === undefined ? {} : { authorization },
    });
  beforeEach(async () => {
    harness = await startHarness({ apiKeysFile: file() });
  });
  afterEach(() => stopHarness(harness));

  it('let in who has one, and nobody else', async () => {
    expect((await classify('Bearer secret-2')).status).toBe(200);
    for (const wrong of [undefined, 'Bearer secret-3', 'Basic secret-2', 'Bearer ', sha256('secret-2')]) {
      const refused = await classify(wrong);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    }
    expect((await fetch(`http://127.0.0.1:${harness.port}/readyz`)).status).toBe(200);
    expect(JSON.stringify(harness.logLines)).not.toContain('secret');
  });

  it('have a rate of their own: 429 and when to come back', async () => {
    const statuses = [];
    for (let k = 0; k < 3; k += 1) statuses.push((await classify('Bearer secret-1')).status);
    expect(statuses).toEqual([200, 200, 429]);
    const refused = await classify('Bearer secret-1');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await classify('Bearer secret-2')).status).toBe(200);
  });

  it('open streams by header, and from a browser by subprotocol, which is not echoed', async () => {
    expect((await StreamClient.refusal(harness.port)).status).toBe(401);
    const byHeader = await StreamClient.open(harness.port, { headers: { authorization: 'Bearer secret-2' } });
    const protocols = ['earshot.v1', 'earshot.key.secret-2'];
    const byProtocol = await StreamClient.open(harness.port, {}, protocols);
    expect(byProtocol.socket.protocol).toBe('earshot.v1');
    for (const client of [byHeader, byProtocol]) client.socket.close();
  });

  it('bound the streams of one caller, and keep its streams from others', async () => {
    const kitchen = { headers: { authorization: 'Bearer secret-1' } };
    const client = await StreamClient.open(harness.port, kitchen);
    client.send({ type: 'start', sampleRate: 16_000 });
    const { streamId } = await client.first('ready');
    expect((await StreamClient.refusal(harness.port, kitchen)).status).toBe(429);
    client.socket.terminate();
    await until(() => harness.admission.streams === 0);
    const thief = await StreamClient.open(harness.port, { headers: { authorization: 'Bearer secret-2' } });
    thief.send({ type: 'resume', streamId, lastSeq: 0 });
    expect(await thief.closed()).toBe(1008);
  });

  it.each([
    ['no such file', () => join(folder, 'none.json'), 'cannot be read'],
    ['no JSON', () => keysFile('{'), 'is not JSON'],
    ['a key in the clear', () => keysFile({ keys: [{ name: 'a', key: 'secret' }] }), 'keys.0.sha256'],
    ['no keys', () => keysFile({ keys: [] }), 'keys'],
  ])('refuse to start with %s', (_, make, reason) => {
    expect(() => readApiKeys(make())).toThrow(reason);
  });
});

describe('a rate', () => {
  it('lets a burst of ten seconds’ worth through, then its pace', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(60, clock);
    const waits = Array.from({ length: 11 }, () => bucket.take());
    expect(waits).toEqual([...new Array<number>(10).fill(0), 1000]);
    await clock.advance(999);
    expect(bucket.take()).toBeCloseTo(1, 6);
    await clock.advance(2);
    expect(bucket.take()).toBe(0);
    await clock.advance(3_600_000);
    expect(Array.from({ length: 11 }, () => bucket.take()).filter((wait) => wait === 0)).toHaveLength(10);
  });
});

describe('security headers', () => {
  it('allow the page its own scripts, sockets and microphone, and others nothing', async () => {
    const harness = await startHarness();
    const { headers } = await fetch(`http://127.0.0.1:${harness.port}/healthz`);
    const policy = headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain(`connect-src 'self' ws://127.0.0.1:${harness.port}`);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|upgrade-insecure/);
    expect(headers.get('permissions-policy')).toContain('microphone=(self)');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('strict-transport-security')).toBeNull();
    await stopHarness(harness);
  });
});
