import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { classificationSchema } from '../../shared/contracts/classification';
import { describeWithChromium, startBrowser, type TestBrowser } from '../support/browser';
import { describeWith, program } from '../support/needs';
import { proxiedHost, proxyNames, startProxy, type Proxy } from '../support/proxies';
import { startHarness, stopHarness, type Harness } from '../support/service-harness';
import { ServiceProcess } from '../support/service-process';
import { pcmWav } from '../support/pcm-clips';
import { joinToWav, samplePath } from '../support/sound-files';
import { zipFile } from '../support/zip-file';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request through a proxy; `undefined` in `body` stands for none. */
function ask(
  proxy: Proxy,
  method: string,
  path: string,
  options: {
    readonly body?: Buffer | Iterable<Buffer>;
    readonly headers?: IncomingHttpHeaders;
    readonly agent?: Agent;
  },
): Promise<Answer> {
  const headers = { host: `${proxiedHost}:${proxy.port}`, ...options.headers };
  const where: RequestOptions = {
    host: '127.0.0.1',
    port: proxy.port,
    servername: proxiedHost,
    ca: proxy.ca,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...where, method, path: proxy.path + path, headers, agent: options.agent ?? false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => {
          // As curl does: the rest of a body that is refused is not sent.
          if (!outgoing.writableFinished) outgoing.destroy();
          resolve({ status: response.statusCode!, headers: response.headers, body });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    const { body } = options;
    if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body);
    else void sendAll(outgoing, body);
  });
}

/** At the pace of the other side and of a network, until the other side closes. */
async function sendAll(outgoing: ReturnType<typeof request>, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    if (outgoing.destroyed) return;
    if (outgoing.write(chunk)) continue;
    const either = new AbortController();
    const { signal } = either;
    const waits = [once(outgoing, 'drain', { signal }), once(outgoing, 'close', { signal })];
    await Promise.race(waits).catch(() => undefined);
    either.abort();
    await Promise.allSettled(waits);
    await pause(1);
  }
  outgoing.end();
}

const chunk = Buffer.alloc(65_536, 1);
const zeros = (bytes: number): Iterable<Buffer> => Array<Buffer>(bytes / chunk.length).fill(chunk);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-proxies-'));
});
afterAll(() => rm(folder, { recursive: true }));

const places = [
  { belowPath: false, where: 'at the root' },
  { belowPath: true, where: 'below a path' },
];

describe('behind a proxy as documented', () => {
  let service: ServiceProcess;

  beforeAll(async () => {
    service = new ServiceProcess({
      ALLOWED_HOSTS: proxiedHost,
      DATASETS_DIR: join(folder, 'datasets'),
      JOBS_DIR: join(folder, 'jobs'),
    });
    await service.line('loaded and warmed up');
  });
  afterAll(() => service.kill());

  for (const name of proxyNames) {
    describeWith(program(name), program('openssl'))(name, () => {
      describe.each(places)('$where', ({ belowPath }) => {
        let proxy: Proxy;
        beforeAll(async () => {
          const servicePort = Number(new URL(await service.url()).port);
          proxy = await startProxy(name, { folder, servicePort, belowPath });
        });
        afterAll(() => proxy.close());

        it('takes recordings, and datasets of 30 MB', async () => {
          const classified = await ask(proxy, 'POST', 'classify', {
            body: await readFile(samplePath('dog.ogg')),
          });
          expect(classificationSchema.parse(JSON.parse(classified.body)).label).toBe('dog');
          expect(classified.headers['strict-transport-security']).toBe('max-age=31536000');

          const admin = await service.adminHeaders();
          const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((letter) => `${letter}.wav`);
          const csv = [
            'filename,category',
            ...names.map((file, k) => `${file},${k % 2 ? 'bell' : 'kettle'}`),
          ].join('\n');
          const zip = zipFile([
            ...names.map((file) => ({ name: file, content: noise(5_000_000) })),
            { name: 'sounds.csv', content: Buffer.from(csv) },
          ]);
          const headers = { 'content-type': 'application/zip', ...admin };
          const path = `datasets?name=${name}-${belowPath}`;
          const sent = await ask(proxy, 'POST', path, { body: zip, headers });
          const location = new URL(sent.headers.location!, `https://${proxiedHost}:${proxy.port}`).href;
          expect([sent.status, location]).toEqual([
            201,
            `https://${proxiedHost}:${proxy.port}${proxy.path}datasets/${name}-${belowPath}`,
          ]);
          const removed = await ask(proxy, 'DELETE', `datasets/${name}-${belowPath}`, { headers: admin });
          expect(removed.status).toBe(204);
        }, 60_000);

        it('passes on why a recording is refused in the middle of its body', async () => {
          const bytes = 48 * 1024 * 1024;
          for (const headers of [{ 'content-length': String(bytes) }, { 'transfer-encoding': 'chunked' }]) {
            // As browsers and curl, which do not ask for the connection to be closed.
            const agent = new Agent({ keepAlive: true });
            const refused = await ask(proxy, 'POST', 'classify', { body: zeros(bytes), headers, agent });
            agent.destroy();
            const problem = expect.stringContaining('payload-too-large') as string;
            expect([headers, refused.status, refused.body]).toEqual([headers, 413, problem]);
            expect((await ask(proxy, 'GET', 'healthz', {})).status).toBe(200);
          }
        }, 60_000);

        it('keeps what is heard to itself, and makes nobody an admin', async () => {
          expect((await ask(proxy, 'GET', 'metrics', {})).status).toBe(404);
          const job = { body: Buffer.from('{"kind":"train","architecture":"cnn"}') };
          const own = `${proxiedHost}:${proxy.port}`;
          // Caddy answers to no other name.
          const others =
            name === 'caddy' ? [] : [`localhost:${proxy.port}`, 'localhost', '127.0.0.1', '[::1]'];
          for (const host of [own, ...others]) {
            const headers = { host, 'content-type': 'application/json', 'x-forwarded-for': '127.0.0.1' };
            const { status } = await ask(proxy, 'POST', 'jobs', { ...job, headers });
            expect([host, status]).toEqual([host, 401]);
          }
          expect((await ask(proxy, 'GET', 'jobs', {})).body).toBe('{"jobs":[]}');
        });

        describeWithChromium('the pages', () => {
          let browser: TestBrowser;
          beforeAll(async () => {
            joinToWav([samplePath('dog.ogg')], join(folder, 'dog.wav'));
            browser = await startBrowser(join(folder, 'dog.wav'), [proxiedHost]);
          });
          afterAll(() => browser.close());

          it('hear the microphone, and try endpoints out', async () => {
            const visited = await browser.open({ microphone: true, ignoreCertificate: true });
            const { page, requests } = visited;
            const base = `https://${proxiedHost}:${proxy.port}${proxy.path}`;
            await page.goto(base);
            await page.getByRole('button', { name: 'Listen' }).click();
            await page.locator('#label', { hasText: /^Dog$/ }).waitFor();
            expect(requests).toContain(`${base.replace('https', 'wss')}stream`);

            await page.goto(`${base}docs`);
            const operation = page.locator('#operations-operation-listModels');
            await operation.locator('.opblock-summary-control').click();
            await operation.locator('.execute').click();
            const status = operation.locator('.live-responses-table .response-col_status').last();
            await status.waitFor();
            expect((await status.textContent())?.trim()).toMatch(/^200/);
            expect(requests.at(-1)).toBe(`${base}models`);
            await visited.close();
          }, 60_000);
        });
      });
    });
  }
});

/** A recording of noise, 16 bits at 16 kHz. */
function noise(bytes: number): Buffer {
  const wav = Buffer.concat([pcmWav([], 16_000), randomBytes(bytes)]);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.writeUInt32LE(bytes, 40);
  return wav;
}

describe('connections that rest behind a proxy', () => {
  /**
   * How long the service keeps a connection, in place of 65 s, and how long the proxies do, in place of
   * 55.
   */
  const [serviceMs, keepAlive] = [2200, '1s'];
  let harness: Harness;
  let closedByService: number;

  beforeEach(() => {
    closedByService = 0;
  });
  beforeAll(async () => {
    harness = await startHarness({ allowedHosts: [proxiedHost] });
    harness.server.keepAliveTimeout = serviceMs;
    harness.server.on('connection', (socket) => {
      let ended = false;
      socket.once('end', () => (ended = true));
      socket.once('close', () => (closedByService += ended ? 0 : 1));
    });
  });
  afterAll(() => stopHarness(harness));

  for (const name of proxyNames) {
    describeWith(program(name), program('openssl'))(name, () => {
      it('loses no request, however long they rested', async () => {
        const proxy = await startProxy(name, {
          folder,
          servicePort: harness.port,
          belowPath: false,
          keepAlive,
        });
        // Its own connections rest less long than the proxy keeps them: the proxy must not close one
        // that it is writing to.
        const agent = new Agent({ keepAlive: true, maxSockets: 40, timeout: 500 });
        const statuses = await Promise.all(
          Array.from({ length: 40 }, async (_, index) => {
            const seen: number[] = [];
            for (let round = 0; round < 3; round++) {
              const body = Buffer.from('{"kind":"train","architecture":"cnn"}');
              const headers = { 'content-type': 'text/plain' };
              // Asked for and refused: a request that proxies do not dare to repeat.
              seen.push((await ask(proxy, 'POST', 'jobs', { body, headers, agent })).status);
              await pause(300 + 60 * index);
            }
            return seen;
          }),
        );
        const early = closedByService;
        agent.destroy();
        await proxy.close();
        expect(new Set(statuses.flat())).toEqual(new Set([415]));
        // Where the service closes first, a request may be on its way to it; HAProxy's idle pool sees
        // that by itself.
        expect(name === 'haproxy' ? 0 : early).toBe(0);
      }, 60_000);
    });
  }
});
