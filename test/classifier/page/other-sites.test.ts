import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { describeWithChromium, startBrowser, type TestBrowser } from '../../support/browser';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

/** Names that a browser is led to this machine by; each is a site of its own. */
const [allowedName, evilName] = ['app.example.com', 'evil.example'];

/** A site without anything on it. */
async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/**
 * Passes on what comes below `/ear`, under the Host that it came with, upgrades too; there is nothing
 * else.
 */
function createProxy(port: () => number): Server {
  const proxy = createServer((req, res) => {
    if (!req.url!.startsWith('/ear/')) {
      res.writeHead(404).end();
      return;
    }
    const path = req.url!.replace(/^\/ear/, '');
    const options = { port: port(), host: '127.0.0.1', method: req.method, path, headers: req.headers };
    req.pipe(
      request(options, (answer) => {
        res.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(res);
      }),
    );
  });
  return proxy.on('upgrade', (req, socket) => {
    const upstream = connect(port(), '127.0.0.1');
    const lines = req.rawHeaders.flatMap((name, k) =>
      k % 2 === 0 ? [`${name}: ${req.rawHeaders[k + 1]!}`] : [],
    );
    upstream.write([`GET ${req.url!.replace(/^\/ear/, '')} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
    upstream.pipe(socket).pipe(upstream);
    for (const end of [upstream, socket]) end.on('error', () => undefined);
  });
}

describeWithChromium('pages of other sites, in a real browser', () => {
  let harness: Harness;
  let browser: TestBrowser;
  let folder: string;
  const site = createServer((_req, res) => res.setHeader('Content-Type', 'text/html').end('<p>A site</p>'));
  const proxy = createProxy(() => harness.port);
  let sitePort: number;
  let proxyPort: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-sites-'));
    sitePort = await listen(site);
    proxyPort = await listen(proxy);
    harness = await startHarness({ allowedOrigins: [`http://${allowedName}:${sitePort}`] });
    browser = await startBrowser(join(folder, 'none.wav'), [allowedName, evilName]);
  });
  afterAll(async () => {
    await browser.close();
    await stopHarness(harness);
    for (const server of [site, proxy]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    await rm(folder, { recursive: true });
  });

  const on = async <T>(address: string, act: (page: Page) => Promise<T>): Promise<T> => {
    const opened = await browser.open();
    try {
      await opened.page.goto(address);
      return await act(opened.page);
    } finally {
      await opened.close();
    }
  };
  /** What a script on a page learns of an answer. */
  const classify = (page: Page, base: string, more = '{}'): Promise<unknown> =>
    page.evaluate(`fetch('${base}/classify', { method: 'POST', body: '1 1', ...${more} }).then(
      async (answer) => [answer.status, answer.headers.has('x-request-id'), (await answer.json()).label],
      (error) => error.name)`);
  const openStream = (page: Page, address: string): Promise<unknown> =>
    page.evaluate(`new Promise((done) => {
      const socket = new WebSocket('${address}', ['earshot.v1']);
      socket.onopen = () => done('open');
      socket.onerror = () => done('refused');
    })`);
  const base = (): string => `http://127.0.0.1:${harness.port}`;

  it('an allowed one classifies, with a key and headers of its own, and opens streams', async () => {
    await on(`http://${allowedName}:${sitePort}`, async (page) => {
      expect(await classify(page, base())).toEqual([200, true, 'rain']);
      const headers =
        "{ headers: { Authorization: 'Bearer x', 'Content-Type': 'audio/wav', 'X-Request-Id': 'mine' } }";
      expect(await classify(page, base(), headers)).toEqual([200, true, 'rain']);
      // It reads refusals as well, and when to come back.
      expect(await classify(page, `${base()}/nowhere`)).toEqual([404, true, undefined]);
      expect(await openStream(page, `ws://127.0.0.1:${harness.port}/stream`)).toBe('open');
    });
  });

  it('another one reads nothing, has nothing done for it, and opens no stream', async () => {
    await on(`http://${evilName}:${sitePort}`, async (page) => {
      const before = harness.inference.batchSizes.length;
      expect(await classify(page, base())).toBe('TypeError');
      expect(await classify(page, base(), "{ mode: 'no-cors' }")).toBe('TypeError');
      for (const path of ['/metrics', '/jobs', '/models']) {
        expect(await page.evaluate(`fetch('${base()}${path}').then(() => 'read', () => 'kept')`)).toBe(
          'kept',
        );
      }
      expect(await openStream(page, `ws://127.0.0.1:${harness.port}/stream`)).toBe('refused');
      expect(harness.inference.batchSizes).toHaveLength(before);
    });
  });

  it('one that leads its own name to this machine is told nothing', async () => {
    await on(`http://${evilName}:${harness.port}/metrics`, async (page) => {
      expect(await page.textContent('body')).toContain('ALLOWED_HOSTS');
      const paths = ['/metrics', '/jobs', '/models'].map(
        (path) => `fetch('${path}').then(({ status }) => status)`,
      );
      expect(await page.evaluate(`Promise.all([${paths.join()}])`)).toEqual([403, 403, 403]);
      expect(await openStream(page, `ws://${evilName}:${harness.port}/stream`)).toBe('refused');
    });
  });

  it('the service’s own pages work, also behind a proxy with a path and a port of its own', async () => {
    const below = `http://localhost:${proxyPort}/ear/`;
    for (const address of [`${base()}/`, below]) {
      await on(address, async (page) => {
        expect(await classify(page, address.replace(/\/$/, ''))).toEqual([200, true, 'rain']);
        expect(await openStream(page, `${address.replace('http', 'ws')}stream`)).toBe('open');
        await page.getByRole('button', { name: 'Listen' }).waitFor();
      });
    }
    for (const docs of [`${base()}/docs`, `${below}docs/`]) {
      await on(docs, async (page) => {
        await page.locator('#operations-operation-health button').first().click();
        await page.getByRole('button', { name: 'Execute' }).click();
        await page.locator('.live-responses-table').getByText('alive').first().waitFor();
      });
    }
  });
});
