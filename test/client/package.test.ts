import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { describeWithChromium, startBrowser } from '../support/browser';
import { ServiceProcess } from '../support/service-process';

const projectFolder = join(__dirname, '../../..');
const run = promisify(execFile);
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.ogg': 'audio/ogg',
};

/** What the client does besides, in any place. */
const everything = `
import { AppError, createAdminClient, createClient, type Job, type StreamMessage } from 'earshot-client';

const options = { baseUrl: 'SERVICE', apiKey: 'KEY' };
const client = createClient(options);
const admin = createAdminClient(options);
const { status } = await client.status();
const { served } = await client.models();
const { classes } = await client.labels();
const details = await client.model(served!.version);
const jobs: Job[] = await admin.jobs();
const { datasets } = await admin.datasets();
let pinned: string | null = null;
if (!('document' in globalThis)) {
  // No page of another origin may change what serves.
  ({ pinned } = (await admin.pin(served!.version)).serving);
  await admin.unpin(served!.version);
}
const missing: unknown = await admin.dataset('none').catch((error: unknown) => error);
const heard: StreamMessage['type'][] = [];
let sent = 0;
if ('WebSocket' in globalThis) {
  const stream = client.openStream({
    settings: { encoding: 'pcm_s16le', sampleRate: 16_000 },
    onMessage: ({ type }) => void heard.push(type),
  });
  stream.send(new Uint8Array(2 * 16_000 * 2));
  sent = (await stream.stop(60_000)).totals.receivedBytes;
}
console.log(JSON.stringify({
  status, sameClasses: String(details.classes) === String(classes), jobs: jobs.length, datasets: datasets.length,
  pinned: pinned === served!.version, code: missing instanceof AppError && missing.code,
  streamed: heard.includes('done'), sent,
}));
`;
const expected = {
  status: 'ready',
  sameClasses: true,
  jobs: 0,
  datasets: 0,
  pinned: true,
  code: 'not-found',
};

/** The program that README shows. */
async function example(): Promise<string> {
  const readme = await readFile(join(projectFolder, 'README.md'), 'utf8');
  return /```ts\n([^`]*)```/.exec(readme)![1]!;
}

/** Files below a folder, and what the browser needs to find the package by its name. */
function siteOf(folder: string): ReturnType<typeof createServer> {
  return createServer((req, res) => {
    const path = new URL(req.url!, 'http://site').pathname;
    readFile(join(folder, path)).then(
      (body) => res.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'text/plain' }).end(body),
      () => res.writeHead(404).end(),
    );
  });
}

/** Compilers, npm and a browser take their time where others compute. */
jest.setTimeout(300_000);

let folder: string;
let service: ServiceProcess;
let url: string;
let key: string;
let site: ReturnType<typeof createServer>;
let origin: string;

/**
 * Compiles programs in the empty project, by their names.
 * @returns what the compiler complains of, a line each
 */
async function compile(
  programs: Readonly<Record<string, string>>,
  own: readonly string[] = [],
): Promise<string[]> {
  for (const [name, source] of Object.entries(programs)) {
    await writeFile(join(folder, `${name}.ts`), source);
  }
  const tsc = join(projectFolder, 'node_modules/typescript/bin/tsc');
  const options = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext'];
  const files = Object.keys(programs).map((name) => `${name}.ts`);
  return run(process.execPath, [tsc, ...options, ...own, ...files], { cwd: folder }).then(
    () => [],
    (error: unknown) => (error as { readonly stdout: string }).stdout.trim().split('\n'),
  );
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-client-'));
  site = siteOf(folder).listen(0, '127.0.0.1');
  await once(site, 'listening');
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const models = join(folder, 'models');
  await cp(join(projectFolder, 'models'), models, { recursive: true });
  service = new ServiceProcess({
    MODELS_DIR: models,
    ALLOWED_ORIGINS: origin,
    API_KEYS_FILE: undefined,
    DATASETS_DIR: join(folder, 'datasets'),
    JOBS_DIR: join(folder, 'jobs'),
  });

  const packed = join(folder, 'packed');
  await run(process.execPath, [join(projectFolder, 'client-package/build.mjs'), packed]);
  await run('npm', ['pack', packed, '--pack-destination', folder], { cwd: folder });
  await rm(packed, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"private": true, "type": "module"}');
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${tarball!}`], { cwd: folder });

  url = await service.url();
  key = (await service.adminHeaders()).authorization.replace('Bearer ', '');
  await service.line('loaded and warmed up');
});
afterAll(async () => {
  await service.kill();
  site.closeAllConnections();
  site.close();
  await rm(folder, { recursive: true });
});

/** With the service's address and key. */
const here = (source: string): string =>
  source.replace('http://127.0.0.1:8080', url).replace('SERVICE', url).replace('KEY', key);

describe('the package of the client', () => {
  it('is installed alone, with a version that its changelog has', async () => {
    const installed = await readdir(join(folder, 'node_modules'));
    expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['earshot-client']);
    const own = join(folder, 'node_modules/earshot-client');
    const { version } = JSON.parse(await readFile(join(own, 'package.json'), 'utf8'));
    expect(await readFile(join(own, 'CHANGELOG.md'), 'utf8')).toContain(`\n## ${version}\n`);
    expect(await readFile(join(projectFolder, 'README.md'), 'utf8')).toContain(
      `earshot-client-${version}.tgz`,
    );
  });

  it('lets README’s program compile, and no misspelt member', async () => {
    const readme = here(await example());
    const misspelt = readme.replace('.classify(', '.clasify(');
    const misread = readme.replace('probability }', 'likelihood }');
    const typesOfNode = ['--types', 'node', '--typeRoots', join(projectFolder, 'node_modules/@types')];
    const complaints = await compile({ readme, misspelt, misread }, [...typesOfNode, '--skipLibCheck']);
    expect(complaints.filter((line) => line.startsWith('readme'))).toEqual([]);
    expect(complaints.join('\n')).toMatch(/misspelt.*'clasify'/);
    expect(complaints.join('\n')).toMatch(/misread.*'likelihood'/);
  });

  it('needs nothing of Node to compile', async () => {
    const page = here(await example())
      .replace(/^import .* from 'node:fs';\n/m, '')
      .replace(/openAsBlob\((.*)\)/, '(await fetch($1)).blob()');
    expect(page).toContain('fetch(');
    expect(await compile({ page, everything: here(everything) })).toEqual([]);
  });

  it('runs README’s program in Node', async () => {
    const { stdout } = await run(process.execPath, [join(folder, 'readme.js')], { cwd: projectFolder });
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^dog (0\.\d{3}|1\.000)$/);
  });

  it('does everything else in Node', async () => {
    const { stdout } = await run(process.execPath, [join(folder, 'everything.js')], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject(expected);
  });

  it('can be required, as Node 20.19 and later let modules be', async () => {
    const script = `console.log(typeof require('earshot-client').createClient)`;
    const { stdout } = await run(process.execPath, ['--input-type=commonjs', '-e', script], { cwd: folder });
    expect(stdout).toBe('function\n');
  });
});

describeWithChromium('the package in Chromium', () => {
  /** The console of a page on which the program of this name runs. */
  async function runInBrowser(name: string, lines: number): Promise<string[]> {
    const imports = { imports: { 'earshot-client': '/node_modules/earshot-client/index.js' } };
    await writeFile(
      join(folder, `${name}.html`),
      `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${JSON.stringify(imports)}</script>
       <script type="module" src="/${name}.js"></script>`,
    );
    const browser = await startBrowser(join(folder, 'no-microphone.wav'), []);
    try {
      const { page, complaints } = await browser.open();
      const said: string[] = [];
      const all = new Promise<void>((resolve) => {
        page.on('console', (message) => {
          if (message.type() === 'log') said.push(message.text());
          if (said.length >= lines) resolve();
        });
        page.on('pageerror', () => {
          resolve();
        });
      });
      await page.goto(`${origin}/${name}.html`);
      await all;
      // One answer that is asked for is 404.
      expect(complaints.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]);
      return said;
    } finally {
      await browser.close();
    }
  }

  it('runs README’s program, with a recording that the page fetches', async () => {
    await cp(join(projectFolder, 'samples'), join(folder, 'samples'), { recursive: true });
    const said = await runInBrowser('page', 5);
    expect(said[0]).toMatch(/^dog (0\.\d{3}|1\.000)$/);
  });

  it('does everything else, and streams', async () => {
    const [said] = await runInBrowser('everything', 1);
    expect(JSON.parse(said!)).toEqual({ ...expected, pinned: false, streamed: true, sent: 64_000 });
  });
});
