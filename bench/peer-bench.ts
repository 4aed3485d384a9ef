import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { decode } from '../shared/decode/decode';
import { architectureOf, isMultiLabel } from '../shared/contracts/members';
import { findEncoder } from '../shared/compute/provide/provide-encoder';
import { encoderCacheFolder } from '../shared/environment';
import { openRegistry, type Version } from '../shared/registry/registry';
import { wavFile } from '../test/support/wav-file';
import type { RequestBody } from './connection';
import { closedLoop, formBody } from './http-load';
import { median, quantile } from './median';
import { call, projectFolder, sleep, startService, type BenchService } from './service';

const peersFolder = join(projectFolder, 'bench', 'peers');
const secondsPerRound = 4;
const rounds = 3;
const connectionCounts = [1, 8, 32];

type Peer = Omit<BenchService, 'logged' | 'adminHeaders'>;

interface Contender {
  readonly name: string;
  readonly body: (wav: Buffer) => RequestBody;
  start(version: Version): Promise<Peer>;
}

const form = (wav: Buffer): RequestBody => formBody('audio/wav', wav);
const raw = (wav: Buffer): RequestBody => ({ contentType: 'audio/wav', bytes: wav });

const contenders: readonly Contender[] = [
  {
    name: 'Earshot',
    body: raw,
    start: ({ manifest }) => startService({ MODEL_VERSION: manifest.version }),
  },
  { name: 'FastAPI + PyTorch', body: raw, start: (version) => startScript('fastapi_server.py', version) },
  { name: 'LitServe', body: form, start: (version) => startScript('litserve_server.py', version) },
  { name: 'BentoML', body: form, start: startBentoml },
];

/** The Python interpreter of `PEERS_PYTHON`, in which bench/peers/requirements.txt is installed. */
function python(): string {
  return process.env['PEERS_PYTHON'] ?? 'python3';
}

/**
 * Compares with other servers: the same weights, clip, client and machine, in alternating rounds.
 * @param architectures `cnn` stands for both of the report's networks
 */
export async function benchPeers(architectures: readonly ('cnn' | 'encoder')[]): Promise<void> {
  const missing = missingPackages();
  if (missing !== undefined) {
    console.log(`\nPeers left out: ${python()} ${missing}. See bench/peers/requirements.txt.`);
    return;
  }
  if (architectures.includes('cnn')) {
    engineTable([]);
    await servingTable(await versionOf('cnn'));
  }
  if (architectures.includes('encoder')) await benchEncoderPeers();
}

/** PyTorch and ONNX Runtime with the encoder's weights, then the servers with its version. */
async function benchEncoderPeers(): Promise<void> {
  const file = await findEncoder(process.env['ENCODER'] ?? 'auto', encoderCacheFolder());
  if (file === undefined) {
    console.log('\nThe encoder left out: it is not in the cache, and ENCODER names none.');
    return;
  }
  // For the peers, which are processes of their own.
  process.env['ENCODER_FILE'] = file;
  const version = await versionOf('encoder');
  engineTable([version.folder]);
  await servingTable(version);
}

async function versionOf(architecture: string): Promise<Version> {
  const { versions } = await openRegistry(join(projectFolder, 'models')).list();
  const found = versions.find(
    ({ manifest }) => architectureOf(manifest) === architecture && !isMultiLabel(manifest),
  );
  if (found === undefined) throw new Error(`models/ holds no ${architecture}, which the peers serve`);
  return found;
}

function missingPackages(): string | undefined {
  try {
    const imports = 'import torch, onnx, onnxruntime, soundfile, soxr, fastapi, litserve, bentoml';
    execFileSync(python(), ['-c', imports], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    const text = String((error as { stderr?: Buffer }).stderr ?? error);
    return text.trim().split('\n').at(-1) ?? 'does not start';
  }
}

/** @param versions folder of the encoder's version; none: the report's networks */
function engineTable(versions: readonly string[]): void {
  const threads = String(availableParallelism());
  const output = execFileSync(python(), [join(peersFolder, 'engine.py'), threads, ...versions], {
    env: { ...process.env, OMP_NUM_THREADS: threads },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  console.log(
    `\nPeers' engines, ${threads} threads. Milliseconds a clip, median of 5 (training: of 2; of the encoder the fastest of 25).\n`,
  );
  console.log('| | | batch 1 | batch 8 | batch 32 | training step, batch 32 |\n|---|---|---|---|---|---|');
  for (const line of output.toString().trim().split('\n')) {
    const { peer, architecture, msPerClip } = JSON.parse(line) as {
      peer: string;
      architecture: string;
      msPerClip: Record<string, number>;
    };
    const cells = ['1', '8', '32', 'training'].map((key) => msPerClip[key]?.toFixed(1) ?? '–');
    console.log(`| \`${architecture}\` | ${peer} | ${cells.join(' | ')} |`);
  }
}

async function servingTable(version: Version): Promise<void> {
  const wav = await fiveSecondWav();
  const results = new Map<string, number[][]>();
  // Rounds alternate, so that a slow minute of the machine does not affect one contender only.
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      const server = await contender.start(version);
      try {
        await checkAnswer(contender, server.port, wav);
        for (const [index, connections] of connectionCounts.entries()) {
          const times = await measure(contender, server.port, wav, connections);
          const key = `${contender.name} ${index}`;
          results.set(key, [...(results.get(key) ?? []), times]);
        }
      } finally {
        await server.stop();
      }
    }
  }
  console.log(
    `\nPOST /classify with ${version.manifest.version}, 5 s WAV at 44.1 kHz; requests/s (p50 / p99 ms), ` +
      `median of ${rounds} rounds of ${secondsPerRound} s in turns.\n`,
  );
  const heads = connectionCounts.map((count) => `${count} connection${count === 1 ? '' : 's'}`);
  console.log(`| | ${heads.join(' | ')} |\n|---|${'---|'.repeat(heads.length)}`);
  for (const { name } of contenders) {
    const cells = connectionCounts.map((_, index) => cell(results.get(`${name} ${index}`)!));
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

async function measure(
  { body }: Contender,
  port: number,
  wav: Buffer,
  connections: number,
): Promise<number[]> {
  const load = { port, body: body(wav), varied: true, connections };
  await closedLoop({ ...load, seconds: 1.5 });
  return closedLoop({ ...load, seconds: secondsPerRound });
}

function cell(runs: readonly (readonly number[])[]): string {
  const rate = median(runs.map((times) => times.length / secondsPerRound));
  const p50 = median(runs.map(median));
  const p99 = median(runs.map((times) => quantile(times, 0.99)));
  return `${rate.toFixed(1)} (${p50.toFixed(1)} / ${p99.toFixed(0)})`;
}

/** Checks that a server recognises the dog. @throws Error for another answer */
async function checkAnswer({ name, body }: Contender, port: number, wav: Buffer): Promise<void> {
  const { contentType, bytes } = body(wav);
  const answer = await call(port, 'POST', '/classify', bytes, undefined, { 'content-type': contentType });
  const parsed = JSON.parse(answer.body) as { label?: string } | { label?: string }[];
  const label = (Array.isArray(parsed) ? parsed[0] : parsed)?.label;
  if (label !== 'dog') throw new Error(`${name} heard ${label} in the dog: ${answer.body.slice(0, 200)}`);
}

async function fiveSecondWav(): Promise<Buffer> {
  const ogg = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const { samples } = await decode(ogg, { sampleRate: 44_100, maxSeconds: 10 });
  return wavFile([samples.subarray(0, 220_500)], { sampleRate: 44_100, type: 's16' });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startScript(script: string, { folder }: Version): Promise<Peer> {
  const port = await freePort();
  return startPeer(port, python(), [
    join(peersFolder, script),
    folder,
    String(port),
    String(availableParallelism()),
  ]);
}

async function startBentoml({ folder }: Version): Promise<Peer> {
  const port = await freePort();
  const command = process.env['PEERS_PYTHON'] === undefined ? 'bentoml' : join(dirname(python()), 'bentoml');
  const args = ['serve', 'bentoml_service:Classifier', '--host', '127.0.0.1', '--port', String(port)];
  return startPeer(port, command, args, { VERSION_FOLDER: folder, BENTOML_DO_NOT_TRACK: 'true' });
}

async function startPeer(
  port: number,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const threads = String(availableParallelism());
  const child = spawn(command, args, {
    cwd: peersFolder,
    env: {
      ...process.env,
      ...environment,
      THREADS: threads,
      OMP_NUM_THREADS: threads,
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: 'ignore',
    detached: true,
  });
  await ready(port, child);
  return { child, port, stop: () => stopGroup(child) };
}

/** Waits until a peer is ready. @throws Error when it ends, or is not ready within two minutes */
async function ready(port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until && child.exitCode === null) {
    if ((await call(port, 'GET', '/readyz')).status === 200) return;
    await sleep(50);
  }
  throw new Error(`${child.spawnargs.join(' ')} did not become ready`);
}

/** Stops a peer with its workers, which are in its process group. */
async function stopGroup(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  process.kill(-child.pid!, 'SIGTERM');
  const [code] = (await exited) as [number | null];
  return code ?? -1;
}
