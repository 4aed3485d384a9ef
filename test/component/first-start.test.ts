import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ServiceProcess } from '../support/service-process';
import { provideTestKernels } from '../support/test-engine';

const project = join(__dirname, '../../..');
let folder: string;
let service: ServiceProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-first-'));
});

afterEach(async () => {
  await service?.kill();
  service = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** A service with nothing in its cache. */
function start(env: Readonly<Record<string, string>>): ServiceProcess {
  const nothing = { XDG_CACHE_HOME: join(folder, 'cache'), MODELS_DIR: join(project, 'models') };
  return (service = new ServiceProcess({ ENGINE: 'auto', ...nothing, ...env }));
}

/**
 * A compiler that notes its process and its niceness, waits until it may go on, and then does `work`.
 */
async function waitingCompiler(work: string): Promise<string> {
  const file = join(folder, 'compiler');
  const script = `#!/bin/bash
echo $$ >> ${folder}/pids
until [ -e ${folder}/go ] || [ ! -e "$0" ]; do sleep 0.05; done
nice >> ${folder}/niceness
${work}
`;
  await writeFile(file, script, { mode: 0o755 });
  return file;
}

async function answerOf(url: string): Promise<{ label: string; confidence: number }> {
  const form = new FormData();
  form.append('audio', new Blob([await readFile(join(project, 'samples', 'dog.ogg'))]), 'dog.ogg');
  const response = await fetch(`${url}/classify`, { method: 'POST', body: form });
  expect(response.status).toBe(200);
  return (await response.json()) as { label: string; confidence: number };
}

async function servedEngine(url: string): Promise<string> {
  const list = (await (await fetch(`${url}/models`)).json()) as { served: { engine: string } };
  return list.served.engine;
}

describe('a service with nothing in its cache', () => {
  it('answers on WebAssembly, and on the kernels when they are built and agree', async () => {
    const compiler = await waitingCompiler(`cp ${await provideTestKernels()} "\${@: -1}"`);
    const started = start({ CXX: compiler });
    const url = await started.url();
    await started.line('the model is loaded and warmed up');
    expect(await servedEngine(url)).toMatch(/^wasm/);
    const first = await answerOf(url);
    expect(first.label).toBe('dog');
    const loaded = started.lines.length;
    await writeFile(join(folder, 'go'), '');
    while (!(await servedEngine(url)).includes('native')) await setTimeout(20);
    const second = await answerOf(url);
    expect(second.label).toBe('dog');
    expect(Math.abs(second.confidence - first.confidence)).toBeLessThan(1e-3);
    const later = JSON.stringify(started.lines.slice(loaded));
    expect(later).toMatch(/cpu \(native \w+ kernels, .*the model is loaded and warmed up/);
    const niceness = (await readFile(join(folder, 'niceness'), 'utf8')).trim().split('\n');
    for (const value of niceness) expect(Number(value)).toBeGreaterThanOrEqual(15);
    // Nothing of libtensorflow was fetched.
    expect(await readdir(join(folder, 'cache', 'earshot', 'engine'))).toHaveLength(1);
  });

  it.each([
    ['there is no compiler', { PATH: '/nonexistent' }, /g\+\+ is needed: install it/],
    ['what was compiled does not load', { CXX: 'compiler' }, /kernels do not load/],
  ])('stays on WebAssembly and says why where %s', async (_, env, reason) => {
    const compiler = await waitingCompiler('echo nothing > "${@: -1}"');
    await writeFile(join(folder, 'go'), '');
    const started = start('CXX' in env ? { CXX: compiler } : env);
    const url = await started.url();
    expect((await started.line('WebAssembly answers on')).msg).toMatch(reason);
    await started.line('the model is loaded and warmed up');
    expect((await answerOf(url)).label).toBe('dog');
    expect(await servedEngine(url)).toMatch(/^wasm/);
  });

  it('ends the compilers and leaves nothing when it is stopped while they run', async () => {
    const started = start({ CXX: await waitingCompiler('exit 1') });
    await started.line('the model is loaded and warmed up');
    const compilers = async (): Promise<number[]> =>
      (await readFile(join(folder, 'pids'), 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);
    while ((await compilers()).length === 0) await setTimeout(20);
    started.child.kill('SIGINT');
    expect(await started.exitCode()).toBe(0);
    for (const pid of await compilers()) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await readdir(join(folder, 'cache', 'earshot', 'engine'))).toEqual([]);
  });

  it('waits for the kernels where ENGINE=cpu asks for them', async () => {
    const compiler = await waitingCompiler(`cp ${await provideTestKernels()} "\${@: -1}"`);
    const started = start({ CXX: compiler, ENGINE: 'cpu' });
    const url = await started.url();
    await started.line('Building the native kernels');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    await writeFile(join(folder, 'go'), '');
    await started.line('the model is loaded and warmed up');
    expect(await servedEngine(url)).toMatch(/native/);
  });
});
