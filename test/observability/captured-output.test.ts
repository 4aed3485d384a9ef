import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { describeWith, libtensorflow } from '../support/needs';

const noisy = require.resolve('../support/noisy-library');
const dog = join(__dirname, '../../../samples/dog.ogg');
const main = (service: string): string => join(__dirname, `../../services/${service}/main.js`);
const required = ['console.log', 'console.error', 'bytes: "ü"', 'a warning', 'a deprecation'];
let folder: string;
let child: ChildProcess;
let printed = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-captured-'));
  printed = '';
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  await rm(folder, { recursive: true, force: true });
});

function start(service: string, args: readonly string[], env: Readonly<Record<string, string>>): void {
  const { PATH, HOME } = process.env;
  const own = { ENGINE: 'wasm', ENCODER: 'off', ADMIN_KEY_DIR: folder, NODE_OPTIONS: `--require=${noisy}` };
  child = spawn(process.execPath, [main(service), ...args], {
    cwd: folder,
    env: { PATH, HOME, ...own, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  }
}

/** Resolves once this has been printed. @returns the match */
async function printedAs(pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const match = pattern.exec(printed);
    if (match !== null) return match;
    const heard = new AbortController();
    const { signal } = heard;
    await Promise.race([once(child.stdout!, 'data', { signal }), once(child, 'close', { signal })]);
    heard.abort();
    if (child.exitCode !== null && !pattern.test(printed))
      throw new Error(`Ended without ${pattern}: ${printed}`);
  }
}

/** What was printed, all of it. @throws SyntaxError at a line that is not JSON */
function messages(): string[] {
  const lines = printed.trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

it('every line of a service is JSON, whatever prints it on whichever thread', async () => {
  start('classifier', [], { PORT: '0', JOBS_DIR: 'jobs', DATASETS_DIR: 'datasets' });
  const [, url] = await printedAs(/"url":"(http:[^"]*)"/);
  await printedAs(/the model is loaded and warmed up/);
  const { status } = await fetch(`${url}/classify`, {
    method: 'POST',
    body: new Uint8Array(await readFile(dog)),
  });
  expect(status).toBe(200);
  await printedAs(/noise by a deprecation on thread/);
  child.kill('SIGTERM');
  expect(await once(child, 'close')).toEqual([0, null]);
  const said = messages();
  for (const where of ['main', 'thread']) {
    for (const kind of required) {
      expect(said).toContainEqual(expect.stringMatching(new RegExp(`noise.*${kind}(.* on ${where})?$`)));
    }
  }
  expect(said).toContainEqual(expect.stringMatching(/^noise without an end of line on main/));
});

describeWith(libtensorflow)('libtensorflow, which prints past JavaScript when it is loaded', () => {
  it('leaves every line of a service JSON', async () => {
    const { XDG_CACHE_HOME = join(process.env['HOME']!, '.cache') } = process.env;
    const own = { PORT: '0', JOBS_DIR: 'jobs', DATASETS_DIR: 'datasets', NODE_OPTIONS: '' };
    start('classifier', [], { ENGINE: 'cpu', ENGINE_KERNELS: 'reference', XDG_CACHE_HOME, ...own });
    await printedAs(/the model is loaded and warmed up/);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(messages()).toContainEqual(expect.stringMatching(/^listening/));
  });
});

it('every line of a trainer is JSON, the reason why it ends included', async () => {
  start('trainer', ['work', '--until-idle', '1'], { REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(69);
  const said = messages();
  for (const kind of required) expect(said).toContainEqual(expect.stringContaining(kind));
  expect(said).toContainEqual(expect.stringContaining('The queue of jobs cannot be reached now'));
});

it('what is wrong with the environment is told to who starts it, in words', async () => {
  start('trainer', ['work'], {});
  expect(await once(child, 'close')).toEqual([78, null]);
  expect(printed).toContain('Trainers take their jobs from Redis: set REDIS_URL');
});
