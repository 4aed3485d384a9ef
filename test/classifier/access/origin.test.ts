import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { loadConfig } from '../../../services/classifier/config';
import { parseTrustedProxies } from '../../../services/classifier/access/address';
import { createOriginRules, isLoopbackAddress } from '../../../services/classifier/access/origin';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

const site = 'https://app.example.com';
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    allowedOrigins: [site, 'null', 'file://'],
    allowedHosts: ['earshot.example.com', 'other.example:8443'],
  });
});
afterAll(() => stopHarness(harness));

/** `fetch` does not let a Host or Sec-Fetch-Site be set. */
function ask(headers: IncomingHttpHeaders, method = 'GET', path = '/models'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const host = `127.0.0.1:${harness.port}`;
    const options = { port: harness.port, host: '127.0.0.1', method, path, headers: { host, ...headers } };
    const asked = request(options, (response) => {
      response.resume();
      resolve(response);
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
    asked.on('error', reject).end(method === 'POST' ? '1 1' : undefined);
  });
}
const status = async (...asked: Parameters<typeof ask>): Promise<number> => (await ask(...asked)).statusCode!;
/** What a handshake for a stream is answered. */
const handshake = (headers: IncomingHttpHeaders): Promise<number> =>
  status(
    {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
    'GET',
    '/stream',
  );

describe('a service on loopback', () => {
  it.each([
    ['localhost', 200],
    ['LOCALHOST.:80', 200],
    ['app.localhost', 200],
    ['127.8.9.1:1', 200],
    ['[::1]:8080', 200],
    ['classifier:8080', 200],
    ['earshot.example.com', 200],
    ['Earshot.Example.com:8443', 200],
    ['other.example:8443', 200],
    ['other.example', 403],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['127.0.0.1.nip.io:8080', 403],
    ['evil.example.', 403],
    ['evil.example@localhost', 403],
    ['192.168.1.7', 403],
  ])('asked for as %s: %i', async (host, expected) => {
    expect(await status({ host })).toBe(expected);
    for (const path of ['/metrics', '/jobs', '/healthz', '/', '/nowhere']) {
      expect((await status({ host }, 'GET', path)) === 403).toBe(expected === 403);
    }
    // The same at the handshake of a stream, and in an absolute target, which overrules the header.
    expect(await status({}, 'GET', `http://${host}/models`)).toBe(expected);
    expect(await handshake({ host })).toBe(expected === 200 ? 101 : 403);
  });

  it('is one by its address; any other takes every Host', () => {
    const on = ['127.0.0.1', '127.1.2.3', '::1', 'localhost', '::ffff:127.0.0.1'];
    expect(on.map(isLoopbackAddress)).toEqual(on.map(() => true));
    expect(['0.0.0.0', '::', '192.168.1.7', 'earshot.example.com'].map(isLoopbackAddress)).not.toContain(
      true,
    );
    const rules = createOriginRules({
      allowedOrigins: [],
      allowedHosts: [],
      isLoopback: false,
      trustedProxies: parseTrustedProxies('')!,
    });
    expect(rules.admit({ headers: { host: 'earshot.example.com' } })).toBeUndefined();
  });
});

describe('a page', () => {
  const own = (): string => `http://127.0.0.1:${harness.port}`;

  /** A link alone sends nothing. */
  const postStatus = (headers: IncomingHttpHeaders, expected: number): number =>
    headers['sec-fetch-mode'] === 'navigate' ? 403 : expected;

  it.each<[string, () => IncomingHttpHeaders, number]>([
    ['of no browser', () => ({}), 200],
    ['of the service', () => ({ origin: own() }), 200],
    [
      'of the service, by its browser’s word',
      () => ({ 'sec-fetch-site': 'same-origin', origin: 'https://x:8443' }),
      200,
    ],
    [
      'of the service, behind TLS',
      () => ({ host: 'earshot.example.com', origin: 'https://earshot.example.com' }),
      200,
    ],
    [
      'of the service, behind TLS on another port',
      () => ({ host: 'earshot.example.com:8443', origin: 'https://earshot.example.com:8443' }),
      200,
    ],
    ['that its user opens', () => ({ 'sec-fetch-site': 'none' }), 200],
    [
      'that a link on another site leads to',
      () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }),
      200,
    ],
    ['of an allowed origin', () => ({ 'sec-fetch-site': 'cross-site', origin: site }), 200],
    ['of an allowed origin, with a slash', () => ({ origin: `${site}/` }), 200],
    ['of an allowed origin, with its port', () => ({ origin: `${site}:443` }), 200],
    ['of a file', () => ({ origin: 'file://' }), 200],
    ['of a sandbox', () => ({ origin: 'null' }), 200],
    ['of another site', () => ({ origin: 'https://evil.example' }), 403],
    [
      'of another site, with a Host made to fit',
      () => ({ host: 'localhost', origin: 'https://localhost.evil.example' }),
      403,
    ],
    ['of the allowed name over plain http', () => ({ origin: 'http://app.example.com' }), 403],
    ['of an allowed name’s other port', () => ({ origin: `${site}:8443` }), 403],
    [
      'of a name that no trusted proxy forwards',
      () => ({ 'x-forwarded-host': 'evil.example', origin: 'https://evil.example' }),
      403,
    ],
    ['of another port', () => ({ origin: 'http://127.0.0.1:1' }), 403],
    [
      'with a picture from here',
      () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }),
      403,
    ],
    ['of the same site', () => ({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }), 403],
    [
      'in a frame of another site',
      () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }),
      403,
    ],
  ])('%s: %s', async (_, headers, expected) => {
    for (const path of ['/models', '/jobs', '/metrics', '/openapi.json']) {
      expect(await status(headers(), 'GET', path)).toBe(expected);
    }
    expect(await handshake(headers())).toBe(expected === 200 ? 101 : 403);
    expect(await status(headers(), 'POST', '/classify')).toBe(postStatus(headers(), expected));
  });

  it('of the service is known by what a trusted proxy was asked for', async () => {
    const behind = await startHarness({ trustedProxies: '127.0.0.1' });
    const asked = async (forwarded: Record<string, string>): Promise<number> => {
      const headers = { origin: 'https://earshot.example.com:8443', ...forwarded };
      return (await fetch(`http://127.0.0.1:${behind.port}/models`, { headers })).status;
    };
    expect([
      await asked({ 'x-forwarded-host': 'earshot.example.com:8443' }),
      await asked({ 'x-forwarded-host': 'earshot.example.com', 'x-forwarded-port': '8443' }),
      await asked({ 'x-forwarded-host': 'evil.example, earshot.example.com:8443' }),
      await asked({ 'x-forwarded-host': 'earshot.example.com:8443, other.example' }),
      await asked({ 'x-forwarded-host': 'earshot.example.com' }),
      await asked({}),
    ]).toEqual([200, 200, 200, 403, 403, 403]);
    await stopHarness(behind);
  });

  it('of another site cannot post a form by a link’s headers', async () => {
    const navigation = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect(await status({ ...navigation, origin: 'https://evil.example' }, 'POST', '/classify')).toBe(403);
    expect(await status(navigation, 'POST', '/classify')).toBe(403);
  });

  it('of an allowed origin may read what is answered, refusals too; caches keep the answers apart', async () => {
    for (const path of ['/models', '/nowhere', '/stream']) {
      const { headers } = await ask({ origin: site }, 'GET', path);
      expect(headers).toMatchObject({
        'access-control-allow-origin': site,
        vary: expect.stringContaining('Origin'),
      });
      expect(headers['access-control-expose-headers']).toContain('Retry-After');
    }
    expect((await ask({}, 'GET', '/models')).headers).toMatchObject({
      vary: expect.stringContaining('Origin'),
    });
    const others = [await ask({ origin: 'https://evil.example' }), await ask({})];
    expect(others.map(({ headers }) => headers['access-control-allow-origin'])).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('is told before it asks what it may send', async () => {
    const preflight = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
      'access-control-request-private-network': 'true',
    };
    const allowed = await ask({ origin: site, ...preflight }, 'OPTIONS', '/classify');
    expect([allowed.statusCode, allowed.headers['access-control-allow-private-network']]).toEqual([
      204,
      'true',
    ]);
    expect(allowed.headers['access-control-allow-methods']).toContain('POST');
    expect(allowed.headers['access-control-allow-headers']).toContain('Authorization');
    const refused = await ask({ origin: 'https://evil.example', ...preflight }, 'OPTIONS', '/classify');
    expect([refused.statusCode, refused.headers['access-control-allow-methods']]).toEqual([403, undefined]);
  });

  it('of an allowed origin changes nothing', async () => {
    expect(await status({ origin: site }, 'POST', '/models/a/rollback')).toBe(403);
    expect(await status({ origin: site }, 'DELETE', '/jobs/job-1')).toBe(403);
  });
});

describe('the settings', () => {
  it('take origins as people write them', () => {
    const list = 'https://App.example.com/, http://a.example:80, null,file:///,capacitor://localhost,*';
    expect(loadConfig({ ALLOWED_ORIGINS: list }).allowedOrigins).toEqual([
      'https://app.example.com',
      'http://a.example',
      'null',
      'file://',
      'capacitor://localhost',
      '*',
    ]);
    expect(loadConfig({ ALLOWED_HOSTS: 'A.example, b.example:8443,[fe80::1]' }).allowedHosts).toEqual([
      'a.example',
      'b.example:8443',
      '[fe80::1]',
    ]);
  });

  it.each([
    { ALLOWED_ORIGINS: 'app.example.com' },
    { ALLOWED_ORIGINS: 'https://' },
    { ALLOWED_ORIGINS: 'https://a.example/path' },
    { ALLOWED_HOSTS: 'https://a.example' },
    { ALLOWED_HOSTS: 'a.example/path' },
  ])('refuse %j', (env) => {
    expect(() => loadConfig(env)).toThrow('with commas between them');
  });
});
