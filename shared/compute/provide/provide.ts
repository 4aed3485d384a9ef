import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { compilerCommand } from '../../environment';
import { AppError } from '../../errors/app-error';
import { ifAbsent } from '../../errors/machine-fault';
import { compilerToInstall, nodeApiHeaders, packageFolder } from './compiler';
import { runTool } from './run-tool';
import { scratchInCache } from './scratch-in-cache';
import { buildStderrTap } from './stderr-tap';
import { libtensorflowVersion, wheelsFor, type Wheel } from './wheels';

export type NativeEngineKind = 'cpu' | 'cuda';

export interface ProvidedEngine {
  readonly kind: NativeEngineKind;
  /** The N-API binding, linked against the libtensorflow beside it. */
  readonly bindingPath: string;
}

export interface ProvideOptions {
  readonly cacheFolder: string;
  /** Called with a line for people, at most a few times a second. */
  readonly onProgress: (line: string) => void;
  /** `linux-x64`, as Node names it. */
  readonly platform?: string;
  /** Ends what it started. */
  readonly signal?: AbortSignal | undefined;
}

/** Bump when what is laid out in a cache folder changes. */
const layoutVersion = 1;
const bindingName = 'tfjs_binding.node';
const tfjsNodePackage = '@tensorflow/tfjs-node-gpu';

/** The headers that the binding includes, all others of the wheel's 13,000 stay packed. */
const wheelMembers = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/',
  'tensorflow/include/xla/tsl/',
  'nvidia/',
];

/**
 * Makes libtensorflow and its Node binding available, from the cache or from PyPI through the user's own
 * pip (mirrors, proxies and certificates are pip's to know). Every wheel is checked against the sha256
 * pinned in wheels.ts. Safe to run in several processes at once: the finished folder appears by one
 * rename.
 *
 * @throws AppError engine-unavailable with the reason and what to install
 */
export async function provideEngine(
  kind: NativeEngineKind,
  options: ProvideOptions,
): Promise<ProvidedEngine> {
  const { signal } = options;
  const platform = options.platform ?? thisPlatform;
  const wheels = wheelsFor(kind, platform);
  if (wheels === undefined) {
    throw new AppError('engine-unavailable', `No libtensorflow is published for ${kind} on ${platform}.`);
  }
  const found = await findEngine(kind, options);
  if (found !== undefined) {
    await buildStderrTap(dirname(found.bindingPath), signal);
    return found;
  }
  const folder = engineFolder(kind, options.cacheFolder, platform);

  const scratch = await scratchInCache(options.cacheFolder, 'building-engine-', 'libtensorflow');
  try {
    for (const [index, wheel] of wheels.entries()) {
      const label = wheels.length === 1 ? '' : ` (${index + 1} of ${wheels.length})`;
      const file = await downloadWheel(wheel, join(scratch, 'wheels'), platform, signal, (fraction) => {
        options.onProgress(downloadLine(`Fetching ${wheel.requirement}${label}`, fraction, wheel.bytes));
      });
      options.onProgress(`Unpacking ${wheel.requirement}${label}`);
      await unpackWheel(file, scratch, signal);
      await rm(file);
    }
    options.onProgress('Building the TensorFlow binding');
    await buildBinding(scratch, signal);
    await buildStderrTap(scratch, signal);
    await rm(join(scratch, 'wheels'), { recursive: true });
    await rm(join(scratch, 'tensorflow', 'include'), { recursive: true });
    await writeReceipt(scratch);
    await publish(scratch, folder);
  } catch (error) {
    throw error instanceof AppError ? error : unavailable(`libtensorflow could not be set up`, error);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return { kind, bindingPath: join(folder, bindingName) };
}

/**
 * libtensorflow where the cache has it, complete; nothing is fetched. @throws the file system's error
 * where that cannot be told
 */
export async function findEngine(
  kind: NativeEngineKind,
  { cacheFolder, platform = thisPlatform }: Pick<ProvideOptions, 'cacheFolder' | 'platform'>,
): Promise<ProvidedEngine | undefined> {
  const folder = engineFolder(kind, cacheFolder, platform);
  return (await isComplete(folder)) ? { kind, bindingPath: join(folder, bindingName) } : undefined;
}

const thisPlatform = `${process.platform}-${process.arch}`;

function engineFolder(kind: NativeEngineKind, cacheFolder: string, platform: string): string {
  return join(cacheFolder, `${kind}-${libtensorflowVersion}-${platform}-${layoutVersion}`);
}

function unavailable(what: string, cause: unknown): AppError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AppError('engine-unavailable', `${what}: ${reason}`, { cause });
}

function downloadLine(what: string, fraction: number, bytes: number): string {
  const total = Math.round(bytes / 1e6);
  return `${what}: ${String(Math.round(fraction * total)).padStart(String(total).length)} of ${total} MB`;
}

/** Nothing is installed, so that it does not matter where a user lets pip install things. */
const outsideEnvironment = { PIP_REQUIRE_VIRTUALENV: 'false', PIP_REQUIRE_VENV: 'false' };

async function downloadWheel(
  wheel: Wheel,
  folder: string,
  platform: string,
  signal: AbortSignal | undefined,
  onFraction: (fraction: number) => void,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  const machine = platform.endsWith('arm64') ? 'aarch64' : 'x86_64';
  const tags = ['manylinux_2_27', 'manylinux_2_17', 'manylinux2014', 'manylinux_2_12', 'manylinux2010'];
  const options = [
    '--no-deps',
    '--no-cache-dir',
    '--only-binary=:all:',
    '--require-hashes',
    '--progress-bar=off',
  ];
  const target = ['--python-version=3.12', ...tags.map((tag) => `--platform=${tag}_${machine}`)];
  // pip writes to its temporary folder while it downloads and its own bar needs a terminal: look at the
  // size.
  const timer = setInterval(() => {
    void folderBytes(folder).then((bytes) => {
      onFraction(Math.min(1, bytes / wheel.bytes));
    });
  }, 250);
  try {
    await runTool(
      'python3',
      ['-m', 'pip', 'download', ...options, ...target, '--dest', folder, '--requirement', requirements],
      {
        env: { TMPDIR: folder, ...outsideEnvironment },
        purpose: `fetch ${wheel.requirement}`,
        install: 'python3 with pip',
        signal,
      },
    );
  } finally {
    clearInterval(timer);
  }
  const name = (await readdir(folder)).find((entry) => entry.endsWith('.whl'));
  if (name === undefined) throw new Error(`pip reported success but left no wheel for ${wheel.requirement}`);
  return join(folder, name);
}

async function folderBytes(folder: string): Promise<number> {
  try {
    const entries = await readdir(folder, { recursive: true });
    const sizes = await Promise.all(entries.map(async (entry) => (await stat(join(folder, entry))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  } catch {
    return 0; // a file that pip moved between the listing and the look; the next look will see it
  }
}

const unpackScript = `
import sys, zipfile
wheel, folder, *prefixes = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(folder, [n for n in archive.namelist() if n.startswith(tuple(prefixes))])
`;

async function unpackWheel(file: string, folder: string, signal: AbortSignal | undefined): Promise<void> {
  await runTool('python3', ['-c', unpackScript, file, folder, ...wheelMembers], {
    signal,
    purpose: 'unpack libtensorflow',
    install: 'python3',
  });
}

/**
 * The binding is two C++ files of the tfjs-node package. Compiled directly: node-gyp would want Node's
 * headers from the network, while N-API's come with a package and serve every Node version alike.
 */
async function buildBinding(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const libraries = join(folder, 'tensorflow');
  for (const name of ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2']) {
    if (!existsSync(join(libraries, name))) throw new Error(`the wheel holds no ${name}`);
  }
  await symlink('libtensorflow_cc.so.2', join(libraries, 'libtensorflow.so'));
  await symlink('libtensorflow_framework.so.2', join(libraries, 'libtensorflow_framework.so'));
  const sources = join(packageFolder(tfjsNodePackage), 'binding');
  const nvidiaFolder = join(folder, 'nvidia');
  const nvidiaPaths = existsSync(nvidiaFolder)
    ? (await readdir(nvidiaFolder)).map((name) => `-Wl,-rpath,$ORIGIN/nvidia/${name}/lib`)
    : [];
  const [compiler, ...compilerArgs] = compilerCommand();
  await runTool(
    compiler,
    [
      ...compilerArgs,
      ...['-O2', '-fPIC', '-shared', '-std=c++17', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'],
      ...[`-I${nodeApiHeaders()}`, `-I${join(libraries, 'include')}`],
      ...[join(sources, 'tfjs_backend.cc'), join(sources, 'tfjs_binding.cc')],
      ...[`-L${libraries}`, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/tensorflow'],
      ...nvidiaPaths,
      ...['-o', join(folder, bindingName)],
    ],
    { purpose: 'build the TensorFlow binding', install: compilerToInstall(compiler), signal },
  );
}

/** The receipt lists what a complete folder holds, so that a damaged cache is seen and made again. */
async function writeReceipt(folder: string): Promise<void> {
  const files = [bindingName, 'tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'];
  const sizes = await Promise.all(files.map(async (file) => [file, (await stat(join(folder, file))).size]));
  await writeFile(join(folder, 'receipt.json'), JSON.stringify(Object.fromEntries(sizes), null, 2));
}

/**
 * @throws the file system's error where that cannot be told: hundreds of megabytes are not fetched again
 * for it
 */
async function isComplete(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, 'receipt.json'), 'utf8').catch(ifAbsent(''));
  const receipt = readReceipt(text);
  if (receipt === undefined) return false;
  for (const [file, bytes] of receipt) {
    const found = await stat(join(folder, file)).catch(ifAbsent(undefined));
    if (found?.size !== bytes) return false;
  }
  return true;
}

/** Files and their sizes; undefined: it is no receipt. */
function readReceipt(text: string): [string, number][] | undefined {
  try {
    return Object.entries(JSON.parse(text) as Record<string, number>);
  } catch {
    return undefined;
  }
}

async function publish(scratch: string, folder: string): Promise<void> {
  try {
    await rename(scratch, folder);
  } catch (error) {
    // Another process was first, or a damaged folder is in the way.
    if (await isComplete(folder)) return;
    await rm(folder, { recursive: true, force: true });
    await rename(scratch, folder).catch(() => {
      throw error;
    });
  }
}
