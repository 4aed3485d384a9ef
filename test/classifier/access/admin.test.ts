import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAssertAdmin, type AssertAdmin } from '../../../services/classifier/access/admin';
import { parseTrustedProxies } from '../../../services/classifier/access/address';
import { createOriginRules } from '../../../services/classifier/access/origin';
import { createIdentify, readApiKeys } from '../../../services/classifier/access/api-keys';
import { systemClock } from '../../../shared/runtime/clock';
import { FakeJobQueue } from '../../support/fake-job-queue';
import { harnessAdminKey, startHarness, stopHarness, type Harness } from '../../support/service-harness';

const folder = mkdtempSync(join(tmpdir(), 'earshot-admin-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const trustedProxies = parseTrustedProxies('')!;
const origins = createOriginRules({
  allowedOrigins: ['*'],
  allowedHosts: [],
  isLoopback: false,
  trustedProxies,
});
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');

function keysFile(keys: readonly { name: string; admin?: boolean }[]): string {
  const file = join(folder, 'keys.json');
  writeFileSync(file, JSON.stringify({ keys: keys.map((key) => ({ ...key, sha256: sha256(key.name) })) }));
  return file;
}

const verdict = (assertAdmin: AssertAdmin, headers: IncomingHttpHeaders): string => {
  try {
    return assertAdmin({ headers }).name;
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const bearer = (key: string, more: IncomingHttpHeaders = {}): IncomingHttpHeaders => ({
  authorization: `Bearer ${key}`,
  host: 'earshot.example',
  ...more,
});

describe('where the file of keys has no admin key', () => {
  const assertAdmin = createAssertAdmin(createIdentify(undefined, systemClock, sha256('made')), origins);

  it('nothing that a caller says of itself makes it an admin', () => {
    const claims: IncomingHttpHeaders[] = [
      { host: 'localhost:8080' },
      { host: '127.0.0.1' },
      { host: '[::1]:8080', origin: 'http://[::1]:8080' },
      { host: 'localhost', forwarded: 'for=127.0.0.1' },
      { host: 'localhost', 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' },
      { host: 'localhost', 'x-forwarded-host': 'localhost', via: '1.1 localhost' },
      { host: 'localhost', authorization: 'Basic bWFkZTptYWRl' },
      { host: 'localhost', authorization: 'Bearer ' },
      bearer('another key', { host: 'localhost' }),
      bearer(sha256('made'), { host: 'localhost' }),
    ];
    expect(claims.map((headers) => verdict(assertAdmin, headers))).toEqual(claims.map(() => 'unauthorized'));
  });

  it('the key that the service made does, from anywhere', () => {
    expect(verdict(assertAdmin, bearer('made', { 'x-forwarded-for': '203.0.113.5' }))).toBe('local admin');
    expect(verdict(assertAdmin, bearer('made', { origin: 'https://evil.example' }))).toBe('forbidden');
  });

  it('whoever sends no key, or an unknown one, is let in for all else as before', () => {
    const identify = createIdentify(undefined, systemClock, sha256('made'));
    expect([identify({}), identify({ authorization: 'Bearer other' })].map(({ name }) => name)).toEqual([
      'anyone',
      'anyone',
    ]);
  });

  it('its other keys are no admins, and its callers need one of them or the made one', () => {
    const keys = readApiKeys(keysFile([{ name: 'kitchen' }]));
    const asked = createAssertAdmin(createIdentify(keys, systemClock, sha256('made')), origins);
    expect(
      [bearer('kitchen'), bearer('made'), {}, bearer('other')].map((sent) => verdict(asked, sent)),
    ).toEqual(['forbidden', 'local admin', 'unauthorized', 'unauthorized']);
  });
});

it('an admin key of the file may, from anywhere and through proxies, but not for another site’s page', () => {
  const keys = readApiKeys(keysFile([{ name: 'boss', admin: true }, { name: 'kitchen' }]));
  const assertAdmin = createAssertAdmin(createIdentify(keys, systemClock), origins);
  expect(verdict(assertAdmin, bearer('boss', { 'x-forwarded-for': '1.2.3.4' }))).toBe('boss');
  expect(verdict(assertAdmin, bearer('kitchen', { host: 'localhost' }))).toBe('forbidden');
  expect(verdict(assertAdmin, { host: 'localhost' })).toBe('unauthorized');
  expect(verdict(assertAdmin, bearer('boss', { origin: 'https://evil.example' }))).toBe('forbidden');
});

describe('every route that changes something', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness({ jobs: new FakeJobQueue(), adminsOnly: true });
  });
  afterAll(() => stopHarness(harness));

  /** From the service's own machine, as `curl` asks. */
  const ask = (method: string, path: string, headers: Record<string, string> = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const host = `localhost:${harness.port}`;
      const options = { port: harness.port, host: '127.0.0.1', method, path, headers: { host, ...headers } };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });

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
    ['POST', '/models/a/shadow'],
    ['DELETE', '/models/a/shadow'],
  ])('%s %s asks for an admin key', async (method, path) => {
    expect(await ask(method, path)).toBe(401);
    expect([401, 403]).not.toContain(await ask(method, path, { authorization: `Bearer ${harnessAdminKey}` }));
  });

  it.each(['/jobs', '/datasets', '/models'])('reading %s asks for none', async (path) => {
    expect(await ask('GET', path)).toBe(200);
  });
});
