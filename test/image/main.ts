import { chown, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { optionalDependencies } from '../../package.json';
import { writeToneDataset } from '../support/tone-dataset';
import { buildImages } from './build-image';
import { killRunning, runProgram, startRestricted } from './chroot';
import { imageConfig, parseDockerfile, type ImageConfig } from './dockerfile';

/**
 * `npm run check-image -- [cpu] [trainer] [cuda] [--keep] [--build-arg NAME=VALUE] [--build-context
 * NAME=FOLDER]`: builds the stages of these images without a container engine and serves from the
 * result, under what Kubernetes' `restricted` profile allows. Needs root, debootstrap, ffmpeg, a
 * network, and 8 GB (cuda: 20 GB) in TMPDIR.
 */

const project = resolve(__dirname, '../../..');
const samples = join(project, 'samples');

interface Package {
  readonly name: string;
  readonly version: string;
}

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      keep: { type: 'boolean' },
      'build-arg': { type: 'string', multiple: true, default: [] },
      'build-context': { type: 'string', multiple: true, default: [] },
    },
  });
  const targets = positionals.length === 0 ? ['cpu'] : positionals;
  const buildArgs = pairs(values['build-arg']);
  const scratch = await mkdtemp(join(tmpdir(), 'earshot-image-'));
  try {
    const roots = await buildImages(targets, {
      context: project,
      scratch,
      onStep: say,
      args: buildArgs,
      contexts: pairs(values['build-context']),
    });
    const dockerfile = parseDockerfile(await readFile(join(project, 'Dockerfile'), 'utf8'), buildArgs);
    const hasEncoder = imageConfig(dockerfile, 'encoder').args['ENCODER'] !== 'off';
    for (const target of targets) {
      const [root, image] = [roots.get(target)!, imageConfig(dockerfile, target)];
      const megabytes = await printSizes(root, join(scratch, 'base-debian'));
      if (target === 'cpu') expect('what only serves is below 400 MB', megabytes < 400);
      await checkRestrictions(root, image);
      await checkPackageList(root, { trains: target !== 'cpu' });
      // There may be no card here: then the CUDA engine must refuse to serve.
      if (target === 'cuda') await checkRefusesWithoutGpu(root, image);
      else await checkService(root, image, { scratch, hasEncoder });
      if (target === 'trainer') await checkTrainer(root, image, scratch);
      if (target === 'cpu') await checkServesOnly(root, image);
      say(`the image ${target} is good`);
    }
  } finally {
    if (values.keep === true) say(`kept in ${scratch}`);
    else await rm(scratch, { recursive: true, force: true });
  }
}

/** Of `NAME=VALUE`s. */
function pairs(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function expect(what: string, holds: boolean): void {
  if (!holds) throw new Error(`not so: ${what}`);
  say(`       ok  ${what}`);
}

/** @returns all of it */
async function printSizes(root: string, base: string): Promise<number> {
  const megabytes = async (path: string): Promise<number> =>
    Number((await runProgram('du', ['-sm', '--apparent-size', path])).split('\t')[0]);
  const parts = [
    'var/cache/earshot/engine',
    'var/cache/earshot/encoder',
    'app/node_modules',
    'app/models',
    'app/dist',
  ];
  for (const part of [...parts, 'usr/local/bin/node', 'usr/local/bin/ffmpeg']) {
    say(`${String(await megabytes(join(root, part))).padStart(6)} MB  /${part}`);
  }
  say(`${String(await megabytes(base)).padStart(6)} MB  Debian's bootstrap`);
  const all = await megabytes(root);
  say(`${String(all).padStart(6)} MB  all`);
  return all;
}

/** Runs a command of the image to its end. */
async function inImage(
  root: string,
  image: ImageConfig,
  command: readonly string[],
  volumes: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly output: string }> {
  const child = startRestricted(root, command, { ...image, volumes });
  let output = '';
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

async function checkRestrictions(root: string, image: ImageConfig): Promise<void> {
  const { code, output } = await inImage(root, image, ['touch', '/app/models/x']);
  expect('the root file system is read-only', code !== 0 && output.includes('Read-only file system'));
  const { output: identity } = await inImage(root, image, [
    'sh',
    '-c',
    'id -u; grep CapEff /proc/self/status',
  ]);
  expect('the user is 1000, without capabilities', /^1000\nCapEff:\s+0{16}\n$/.test(identity));
  const tools = ['g++', 'gcc', 'make', 'python3', 'pip', 'npm'];
  const search = `for tool in ${tools.join(' ')}; do command -v $tool; done; true`;
  expect('no build tool is left', (await inImage(root, image, ['sh', '-c', search])).output === '');
}

/**
 * The list of what ships, by npm: exactly the packages that are there, with those that training needs
 * where it trains.
 */
async function checkPackageList(root: string, { trains }: { trains: boolean }): Promise<void> {
  const text = await readFile(join(root, 'app/sbom.json'), 'utf8');
  const { bomFormat, components } = JSON.parse(text) as { bomFormat: string; components: Package[] };
  const nameOf = ({ name, version }: Package): string => `${name}@${version}`;
  const folder = join(root, 'app/node_modules');
  const installed = await Promise.all(
    (await readdir(folder, { recursive: true }))
      .filter((path) => /^(.*\/node_modules\/)?(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(path))
      .map(async (path) => JSON.parse(await readFile(join(folder, path), 'utf8')) as Package),
  );
  const [listed, found] = [components, installed].map((packages) => new Set(packages.map(nameOf)));
  const differing = [
    ...[...listed!].filter((name) => !found!.has(name)).map((name) => `\n${name} is not there`),
    ...[...found!].filter((name) => !listed!.has(name)).map((name) => `\n${name} is not listed`),
  ];
  expect(
    `sbom.json lists the ${listed!.size} packages that are there${differing.join('')}`,
    bomFormat === 'CycloneDX' && differing.length === 0,
  );
  const forTraining = Object.keys(optionalDependencies).filter((name) => existsSync(join(folder, name)));
  const isRight = forTraining.length === (trains ? Object.keys(optionalDependencies).length : 0);
  expect(`of what only training needs it has ${forTraining.join(', ') || 'nothing'}`, isRight);
}

async function checkServesOnly(root: string, image: ImageConfig): Promise<void> {
  const train = ['node', 'dist/services/trainer/main.js', 'train'];
  const { code, output } = await inImage(root, image, train);
  expect('asked to train, it names the image that does', code === 69 && output.includes('`trainer`'));
}

/** One epoch on ten tones, with the volumes that compose.yaml and the training job mount. */
async function checkTrainer(root: string, image: ImageConfig, scratch: string): Promise<void> {
  const volume = async (name: string): Promise<string> => {
    const folder = join(scratch, `volume-${name}`);
    await mkdir(folder);
    await chown(folder, 1000, 1000);
    return folder;
  };
  const [data, runs, clips, models] = await Promise.all(['data', 'runs', 'clips', 'models'].map(volume));
  await writeToneDataset(join(data!, 'tones'));
  const train = ['node', 'dist/services/trainer/main.js', 'train', '--data', '/data/tones'];
  const volumes = {
    '/data': data!,
    '/runs': runs!,
    '/var/cache/earshot/clips': clips!,
    '/app/models': models!,
  };
  const { code, output } = await inImage(
    root,
    image,
    [...train, '--epochs', '1', '--batch-size', '2'],
    volumes,
  );
  const published = await readdir(models!);
  expect(
    `the trainer publishes a version${code === 0 ? '' : `: ${output}`}`,
    code === 0 && published.length === 1,
  );
}

async function checkRefusesWithoutGpu(root: string, image: ImageConfig): Promise<void> {
  const { code, output } = await inImage(root, image, image.command);
  expect('without a GPU the cuda image ends with 69 and says why', code === 69 && output.includes('NVIDIA'));
}

async function checkService(
  root: string,
  image: ImageConfig,
  { scratch, hasEncoder }: { readonly scratch: string; readonly hasEncoder: boolean },
): Promise<void> {
  // Without an encoder it is told not to look for one: there is no network here, and that is a warning.
  const env = { ...image.env, ...(hasEncoder ? {} : { ENCODER: 'off' }) };
  const child = startRestricted(root, image.command, { ...image, env });
  const lines = createInterface(child.stdout!);
  const log: string[] = [];
  const ready = new Promise<void>((resolveReady) => {
    lines.on('line', (line) => {
      log.push(line);
      if (line.includes('loaded and warmed up')) resolveReady();
    });
  });
  const closed = once(child, 'close') as Promise<[number]>;
  child.stderr!.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  try {
    await Promise.race([ready, closed.then(() => Promise.reject(new Error(log.join('\n'))))]);
    const pid = firstChildOf(child.pid!);
    const origin = `http://127.0.0.1:${image.env['PORT']!}`;
    const request = (path: string, file?: string): Promise<string> =>
      runProgram('nsenter', [
        `--net=/proc/${pid}/ns/net`,
        process.execPath,
        '-e',
        client,
        origin + path,
        file ?? '',
      ]);

    const isHealthy = (env: Readonly<Record<string, string>>): Promise<boolean> =>
      runProgram(
        'nsenter',
        ['-t', String(pid), '-m', '-n', '-p', '--root', '--wd', ...image.healthCommand!],
        {
          env: { PATH: process.env['PATH'], ...env },
        },
      ).then(
        () => true,
        () => false,
      );
    expect('the health check passes', await isHealthy(image.env));
    expect('and fails where nobody listens', !(await isHealthy({ ...image.env, PORT: '1' })));
    const { served } = JSON.parse(await request('/models')) as {
      served: { engine: string; version: string };
    };
    expect(`it serves ${served.version}`, served.version.startsWith('encoder-') === hasEncoder);
    expect(`the CPU's engine serves: ${served.engine}`, served.engine.startsWith('cpu ('));
    // A fallback to something slower is a warning.
    const warnings = log.filter((line) => /"level":[456]0/.test(line));
    expect(
      `it was not warned of anything${warnings.map((line) => `\n${line}`).join('')}`,
      warnings.length === 0,
    );
    const m4a = join(scratch, 'dog.m4a');
    await runProgram('ffmpeg', ['-v', 'error', '-y', '-i', join(samples, 'dog.ogg'), m4a]);
    for (const file of [join(samples, 'dog.ogg'), m4a]) {
      const answer = JSON.parse(await request('/classify', file)) as { label?: string };
      expect(`${file.split('/').at(-1)!} is a dog`, answer.label === 'dog');
    }
    process.kill(pid, 'SIGTERM');
    expect('SIGTERM ends it with 0', (await closed)[0] === 0);
  } finally {
    // Both: whoever changes its user no longer dies with its parent.
    if (child.exitCode === null) process.kill(firstChildOf(child.pid!), 'SIGKILL');
    child.kill('SIGKILL');
  }
}

/** Posts a file, or gets when there is none, and prints the answer. */
const client = `
  const [url, file] = process.argv.slice(1);
  const body = file === '' ? undefined : require('node:fs').readFileSync(file);
  fetch(url, { method: body ? 'POST' : 'GET', body }).then((r) => r.text()).then(console.log);
`;

/** unshare's child is the service: what stands between them replaced itself by the next. */
function firstChildOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

if (process.getuid?.() !== 0 || !existsSync('/usr/sbin/debootstrap')) {
  process.stderr.write('This needs root, and debootstrap: apt-get install debootstrap.\n');
  process.exitCode = 69;
} else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, killRunning);
  main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
