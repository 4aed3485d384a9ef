import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRegistry } from '../../shared/registry/registry';
import { readServingState, writeServingState } from '../../shared/registry/serving-state';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';

const required = (module: string): string => JSON.stringify(require.resolve(`../../${module}`));
const hoarder = require.resolve('../support/hoard-descriptors');
const [promoted, best] = ['promoted', 'best'] as const;
let folder: string;
const running: ServiceProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-shortage-'));
  await publishRandomModel(folder, promoted, {
    changes: { metrics: { validationAccuracy: 0.1, validationLoss: 1 } },
  });
  await publishRandomModel(folder, best, {
    changes: { metrics: { validationAccuracy: 0.9, validationLoss: 1 } },
  });
  await writeServingState(folder, 0, {
    change: 'promote',
    by: 'a test',
    current: promoted,
    previous: [best],
    pinned: null,
    shadow: null,
  });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.kill()));
  await rm(folder, { recursive: true, force: true });
});

/**
 * What each way to read the registry says in a process that has no descriptor left, and then with some
 * again.
 */
const script = `
  const { openSync, closeSync } = require('node:fs');
  const { openRegistry } = require(${required('shared/registry/registry')});
  const { readServingState, newestGeneration } = require(${required('shared/registry/serving-state')});
  const { readGolden } = require(${required('shared/registry/golden-file')});
  const { readReport } = require(${required('shared/registry/report-file')});
  const { changeServing } = require(${required('shared/promotion/change-serving')});
  const { measureInProcess } = require(${required('shared/promotion/measure-process')});
  const { createStartRun } = require(${required('shared/jobs/child-run')});
  const { AppError } = require(${required('shared/errors/app-error')});
  const [folder, version] = process.argv.slice(1);
  const registry = openRegistry(folder);
  const ways = {
    list: () => registry.list(),
    choose: () => registry.choose(),
    read: () => registry.read(version),
    state: () => readServingState(folder),
    newest: () => newestGeneration(folder),
    golden: () => readGolden(folder + '/' + version),
    report: () => readReport(folder + '/' + version),
    rollBack: () => changeServing(folder, 'a test').rollBack(version),
  };
  const ask = async (ways) => {
    const told = {};
    for (const [name, way] of Object.entries(ways)) {
      told[name] = await way().then(() => 'fine', (error) => error.code + ': ' + AppError.from(error).message);
    }
    return told;
  };
  (async () => {
    const { manifest } = await registry.read(version);
    const held = [];
    const children = {
      measure: () => measureInProcess({ folder, manifest }, undefined, { choice: {}, limitMs: 1000 }),
      job: async () => {
        const { reason } = await createStartRun(__filename, {})({}, () => {}).outcome;
        throw new AppError('internal', reason);
      },
    };
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const during = await ask({ ...ways, ...children });
    held.forEach((descriptor) => closeSync(descriptor));
    console.log(JSON.stringify([during, await ask(ways)]));
  })();`;

it('a process without descriptors says so of whatever it reads, and takes nothing for missing or broken', async () => {
  const shell = 'ulimit -n 64 && exec "$0" -e "$1" "$2" "$3"';
  const child = spawn('sh', ['-c', shell, process.execPath, script, folder, promoted], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await once(child, 'close');
  const [during, after] = JSON.parse(output) as Record<string, string>[];
  const shortage = expect.stringMatching(
    /^EMFILE: The system answered EMFILE: too many open files \(\w+\)\.$/,
  );
  const spawning = expect.stringContaining('EMFILE');
  expect(during).toEqual({
    list: shortage,
    choose: shortage,
    read: shortage,
    state: shortage,
    newest: shortage,
    golden: shortage,
    report: shortage,
    rollBack: shortage,
    measure: spawning,
    job: spawning,
  });
  expect(new Set(Object.values(after!))).toEqual(new Set(['fine']));
  expect((await readServingState(folder)).state).toMatchObject({ change: 'rollback', current: best });
});

it('a version’s file that is there and cannot be read is named with the cause, not called missing', async () => {
  // A folder in a file's place: also root cannot read it.
  for (const name of ['manifest.json', 'golden.json']) {
    await rm(join(folder, best, name), { force: true });
    await mkdir(join(folder, best, name));
  }
  const { versions, broken } = await openRegistry(folder).list();
  expect(versions.map(({ manifest }) => manifest.version)).toEqual([promoted]);
  expect(broken).toEqual([{ name: best, problem: 'manifest.json cannot be read (EISDIR).' }]);
  await mkdir(join(folder, 'serving.2.json'));
  const { state, problems } = await readServingState(folder);
  expect(state?.current).toBe(promoted);
  expect(problems).toEqual(['serving.2.json cannot be read (EISDIR).']);
  const file = join(folder, 'a-file');
  await writeFile(file, '');
  await expect(openRegistry(join(file, 'models')).choose()).rejects.toThrow('No version to serve');
});

function start(env: Readonly<Record<string, string>> = {}): ServiceProcess {
  const service = new ServiceProcess({
    MODELS_DIR: folder,
    NODE_OPTIONS: `--require=${hoarder}`,
    ...env,
  });
  running.push(service);
  return service;
}

it('a service that starts without descriptors waits for some and serves what was promoted, not the best', async () => {
  const service = start({ HOARD_AT: folder, HOARD_MS: '300' });
  const { msg } = await service.line('no model can be loaded for now');
  expect(msg).toContain('trying again');
  await service.lineWith({ msg: 'the model is loaded and warmed up', version: promoted });
  expect(service.lines.filter(({ msg: said }) => /skipped|cannot be loaded$/.test(said))).toEqual([]);
});

it('a service that runs out of descriptors serves on, and follows a promotion when it has some again', async () => {
  const service = start();
  await service.lineWith({ msg: 'the model is loaded and warmed up', version: promoted });
  const url = await service.url();
  service.child.kill('SIGUSR2');
  await writeServingState(folder, 1, {
    change: 'promote',
    by: 'a test',
    current: best,
    previous: [promoted],
    pinned: null,
    shadow: null,
  });
  const told = await service.lineWith({ msg: 'what was promoted cannot be served', serving: promoted });
  expect((told as unknown as { reason: string }).reason).toContain('EMFILE');
  service.child.kill('SIGUSR2');
  await service.lineWith({ msg: 'the model is loaded and warmed up', version: best });
  const { status } = await fetch(`${url}/readyz`);
  expect(status).toBe(200);
});
