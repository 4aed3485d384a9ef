import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAssertAdmin, type AdminRequest } from '../../../services/classifier/access/admin';
import { createIdentify } from '../../../services/classifier/access/api-keys';
import { systemClock } from '../../../shared/batching/clock';
import { FakeJobQueue } from '../../support/fake-job-queue';
import { startHarness, stopHarness } from '../../support/service-harness';

const folder = mkdtempSync(join(tmpdir(), 'earshot-admin-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
function keysFile(keys: readonly { name: string; admin?: boolean }[]): string {
  const file = join(folder, 'keys.json');
  const hashed = keys.map((key) => ({ ...key, sha256: createHash('sha256').update(key.name).digest('hex') }));
  writeFileSync(file, JSON.stringify({ keys: hashed }));
  return file;
}

const local: AdminRequest = { headers: { host: 'localhost:8080' }, socket: { remoteAddress: '127.0.0.1' } };
const from = (headers: Record<string, string>, remoteAddress = '127.0.0.1'): AdminRequest => ({
  headers: { host: 'localhost:8080', ...headers },
  socket: { remoteAddress },
});
const codeOf = (ask: () => unknown): string => {
  try {
    ask();
    return 'let in';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('where no key is an admin key', () => {
  const assertAdmin = createAssertAdmin(createIdentify(undefined, systemClock));

  it.each([
    ['127.0.0.1', local],
    ['another loopback address', from({ host: '127.0.0.2' }, '127.8.9.1')],
    ['IPv6', from({ host: '[::1]:8080' }, '::1')],
    ['IPv4 within IPv6', from({}, '::ffff:127.0.0.1')],
    ['a page of this host', from({ origin: 'http://localhost:8080' })],
  ])('lets this machine in: %s', (_, asked) => {
    expect(codeOf(() => assertAdmin(asked))).toBe('let in');
  });

  it.each([
    ['another machine', from({}, '192.168.1.7')],
    ['another machine that claims localhost', from({ host: 'localhost' }, '10.0.0.1')],
    ['no address', { headers: { host: 'localhost' }, socket: {} }],
    ['a proxy’s X-Forwarded-For', from({ 'x-forwarded-for': '127.0.0.1' })],
    ['a proxy’s Forwarded', from({ forwarded: 'for=127.0.0.1' })],
    ['a proxy’s X-Real-IP', from({ 'x-real-ip': '1.2.3.4' })],
    ['a proxy’s Via', from({ via: '1.1 proxy' })],
    ['a rebound name', from({ host: 'evil.example:8080', origin: 'http://evil.example:8080' })],
    ['a name that begins as ours', from({ host: 'localhost.evil.example' })],
    ['an address that begins as ours', from({ host: '127.0.0.1.evil.example' })],
    ['no Host', { headers: {}, socket: { remoteAddress: '127.0.0.1' } }],
    ['another origin', from({ origin: 'https://evil.example' })],
    ['another port’s page', from({ origin: 'http://localhost:3000' })],
    ['a page without an origin', from({ origin: 'null' })],
  ])('refuses %s', (_, asked) => {
    expect(codeOf(() => assertAdmin(asked))).toBe('forbidden');
  });
});

describe('where keys are asked for', () => {
  const bearer = (key: string, more: Record<string, string> = {}): AdminRequest =>
    from({ authorization: `Bearer ${key}`, host: 'earshot.example', ...more }, '203.0.113.5');

  it('an admin key may, from anywhere and through proxies, but not for another site’s page', () => {
    const assertAdmin = createAssertAdmin(
      createIdentify(keysFile([{ name: 'boss', admin: true }, { name: 'kitchen' }]), systemClock),
    );
    expect(assertAdmin(bearer('boss', { 'x-forwarded-for': '1.2.3.4' })).name).toBe('boss');
    expect(codeOf(() => assertAdmin(bearer('kitchen')))).toBe('forbidden');
    expect(
      codeOf(() => assertAdmin({ ...local, headers: { ...local.headers, authorization: 'Bearer kitchen' } })),
    ).toBe('forbidden');
    expect(codeOf(() => assertAdmin(local))).toBe('unauthorized');
    expect(codeOf(() => assertAdmin(bearer('boss', { origin: 'https://evil.example' })))).toBe('forbidden');
  });

  it('without an admin key among them, any key may from this machine only', () => {
    const assertAdmin = createAssertAdmin(createIdentify(keysFile([{ name: 'kitchen' }]), systemClock));
    expect(codeOf(() => assertAdmin(from({ authorization: 'Bearer kitchen' })))).toBe('let in');
    expect(codeOf(() => assertAdmin(bearer('kitchen')))).toBe('forbidden');
    expect(codeOf(() => assertAdmin(local))).toBe('unauthorized');
  });
});

describe('every route that changes something', () => {
  it.each([
    ['POST', '/jobs'],
    ['DELETE', '/jobs/job-1'],
    ['POST', '/jobs/job-1/resume'],
    ['POST', '/datasets?name=mine'],
    ['DELETE', '/datasets/mine'],
    ['POST', '/models/a/promote'],
    ['POST', '/models/a/rollback'],
    ['POST', '/models/a/pin'],
    ['DELETE', '/models/a/pin'],
  ])('%s %s asks for an admin', async (method, path) => {
    const harness = await startHarness({ jobs: new FakeJobQueue() });
    const status = await new Promise((resolve, reject) => {
      // `fetch` does not let a Host be set.
      const headers = { host: 'evil.example' };
      request({ port: harness.port, host: '127.0.0.1', method, path, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    await stopHarness(harness);
    expect(status).toBe(403);
  });
});
