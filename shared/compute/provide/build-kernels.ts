import { createHash } from 'node:crypto';
import { open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { compilerCommand } from '../../environment';
import { AppError } from '../../errors/app-error';
import { ifAbsent } from '../../errors/machine-fault';
import { usableCores } from '../../runtime/usable-cores';
import { takeBuildLock } from './build-lock';
import { compilerToInstall, nodeApiHeaders, packageFolder } from './compiler';
import { runTool } from './run-tool';
import { scratchInCache } from './scratch-in-cache';

export interface BuildKernelsOptions {
  readonly cacheFolder: string;
  /** Called with a line for people. */
  readonly onProgress: (line: string) => void;
  /** Added to every compilation and to the link, last, so that they win: `-fsanitize=address`, `-O1`. */
  readonly extraFlags?: readonly string[];
  /** Ends the compilers. */
  readonly signal?: AbortSignal | undefined;
  /** Whether the compilers compute only when nobody else would. */
  readonly inBackground?: boolean;
}

/** This file is compiled to dist/shared/compute/provide. */
const sourceFolder = resolve(__dirname, '..', '..', '..', '..', 'native');

/**
 * What native/isa is compiled for, by processor. On x86-64 the addon chooses at run time; elsewhere the
 * compiler's own baseline is the only one (on arm64 that includes NEON).
 */
const instructionSetFlags: Readonly<Record<string, readonly string[]>> = {
  avx512: [
    ...['-O3', '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx2', '-mfma'],
    '-mprefer-vector-width=512',
  ],
  avx2: ['-O3', '-mavx2', '-mfma', '-mf16c'],
  baseline: ['-O3'],
};

const commonFlags = [
  ...['-std=c++20', '-O2', '-ffp-contract=fast', '-fno-math-errno', '-fPIC', '-fvisibility=hidden'],
  '-DNAPI_CPP_EXCEPTIONS',
  // A call whose thread is being ended returns without an error: there is nobody left to hear it, and
  // thrown on it would end the process.
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];

interface Compilation {
  readonly source: string;
  readonly object: string;
  readonly flags: readonly string[];
}

/**
 * Builds the fused CPU kernels, or finds them in the cache: an addon for every state of the sources and
 * flags. Of several processes that share a cache one builds and the others wait for it; the finished
 * addon appears by one rename. One that is damaged is built anew: what a power cut left of it would end
 * the process that loads it.
 *
 * @returns the addon's path
 * @throws AppError engine-unavailable with the compiler's last words, or what to install; cancelled
 */
export async function buildKernels(options: BuildKernelsOptions): Promise<string> {
  const [compiler, ...compilerArgs] = compilerCommand();
  const { signal, inBackground } = options;
  const tool = {
    purpose: 'build the native kernels',
    install: compilerToInstall(compiler),
    signal,
    inBackground,
    ifKilled:
      '(Most likely for want of memory: beside npm and the service a compiler wants 512 MB in all. Or run `npm run engine -- kernels` first.)',
  };
  const compile = (args: readonly string[]): Promise<string> =>
    runTool(compiler, [...compilerArgs, ...args], tool);
  const flags = [...commonFlags, ...includeFlags()];
  const extraFlags = options.extraFlags ?? [];
  const addon = await addonPath(options);
  const found = await sealOf(addon);
  if (found === 'whole') return addon;

  const scratch = await scratchInCache(options.cacheFolder, 'building-kernels-', 'The native kernels');
  let release: (() => Promise<void>) | undefined;
  try {
    release = await takeBuildLock(`${addon}.lock`, {
      signal,
      onWait: () => {
        options.onProgress('Another process builds the native kernels: waiting for them');
      },
    });
    if ((await sealOf(addon)) === 'whole') return addon;
    options.onProgress(
      found === 'damaged'
        ? 'The native kernels in the cache are damaged: building them anew'
        : 'Building the native kernels',
    );
    const compilations = await listCompilations(scratch);
    const compiled = countQuarters(compilations.length, options.onProgress);
    await runAll(compilations, async ({ source, object, flags: own }) => {
      await compile([...flags, ...own, ...extraFlags, '-c', source, '-o', object]);
      compiled();
    });
    const finished = join(scratch, 'addon.node');
    const objects = compilations.map(({ object }) => object);
    await compile([...flags, ...extraFlags, '-shared', ...objects, '-pthread', '-o', finished]);
    await seal(finished);
    await rename(finished, addon);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError('engine-unavailable', `Cannot build the native kernels: ${reason}`, { cause: error });
  } finally {
    await Promise.all([rm(scratch, { recursive: true, force: true }), release?.()]);
  }
  return addon;
}

/** @returns to be called for each file that is compiled; says so at each quarter of them but the last */
function countQuarters(files: number, onProgress: (line: string) => void): () => void {
  let done = 0;
  return () => {
    const before = Math.floor((4 * done) / files);
    done += 1;
    const quarter = Math.floor((4 * done) / files);
    if (quarter > before && done < files)
      onProgress(`Building the native kernels: ${done} of ${files} files`);
  };
}

/** @returns the addon's path where the cache has it, whole; nothing is built */
export async function findKernels(cacheFolder: string): Promise<string | undefined> {
  const addon = await addonPath({ cacheFolder });
  return (await sealOf(addon)) === 'whole' ? addon : undefined;
}

async function addonPath({
  cacheFolder,
  extraFlags = [],
}: Pick<BuildKernelsOptions, 'cacheFolder' | 'extraFlags'>): Promise<string> {
  // Nothing of the compiler but its name: an addon built ahead is found on a machine without one.
  const key = await hashOf([
    compilerCommand().join(' '),
    ...commonFlags,
    ...extraFlags,
    ...Object.values(instructionSetFlags).flat(),
  ]);
  return join(cacheFolder, `kernels-${process.platform}-${process.arch}-${key}.node`);
}

const sealBytes = 32;

/**
 * Appends the file's SHA-256 to the file itself: the dynamic loader ignores bytes behind the last
 * section, and the file and its checksum cannot be separated.
 */
async function seal(file: string): Promise<void> {
  const digest = createHash('sha256')
    .update(await readFile(file))
    .digest();
  const handle = await open(file, 'a');
  try {
    await handle.appendFile(digest);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * @throws AppError engine-unavailable, with the file system's error as cause, where it is there and
 * cannot be read
 */
async function sealOf(file: string): Promise<'whole' | 'damaged' | 'missing'> {
  const bytes = await readFile(file)
    .catch(ifAbsent(undefined))
    .catch((cause: unknown) => {
      const message = `The native kernels in the cache cannot be read: ${(cause as Error).message}.`;
      throw new AppError('engine-unavailable', message, { cause });
    });
  if (bytes === undefined) return 'missing';
  const [content, digest] = [bytes.subarray(0, -sealBytes), bytes.subarray(-sealBytes)];
  return createHash('sha256').update(content).digest().equals(digest) ? 'whole' : 'damaged';
}

function includeFlags(): string[] {
  return [`-isystem${packageFolder('node-addon-api')}`, `-isystem${nodeApiHeaders()}`];
}

async function hashOf(facts: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  const names = await readdir(sourceFolder, { recursive: true });
  for (const name of names.filter((entry) => /\.(cc|h)$/.test(entry)).sort()) {
    hash.update(`\0${name}\0`).update(await readFile(join(sourceFolder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * Every file of native/ once, every file of native/isa/ once an instruction set; those that take longest
 * first.
 */
async function listCompilations(scratch: string): Promise<Compilation[]> {
  const sources = async (folder: string): Promise<string[]> =>
    (await readdir(folder)).filter((name) => name.endsWith('.cc')).map((name) => join(folder, name));
  const compilation = (source: string, tag: string, flags: readonly string[]): Compilation => ({
    source,
    object: join(scratch, `${source.slice(sourceFolder.length).replaceAll(/[/.]/g, '_')}_${tag}.o`),
    flags,
  });
  const isaSources = await sources(join(sourceFolder, 'isa'));
  const sets = Object.entries(instructionSetFlags).filter(
    ([isa]) => isa === 'baseline' || process.arch === 'x64',
  );
  return [
    ...(await sources(sourceFolder)).map((source) => compilation(source, 'common', [])),
    ...sets.flatMap(([isa, flags]) =>
      isaSources.map((source) => compilation(source, isa, [`-DEARSHOT_ISA=${isa}`, ...flags])),
    ),
  ];
}

/**
 * What a compiler takes at most for one of these sources (g++ 12: 240 MB), with room for other versions.
 */
const compilerBytes = 400 * 2 ** 20;
/** What the service and npm take beside the compilers. */
const serviceBytes = 300 * 2 ** 20;

/**
 * As many as there are cores, or as find room in the memory that this process may use: a control group's
 * limit, or the machine's.
 */
function compilersAtATime(): number {
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  const fitting = Math.floor((memoryBytes - serviceBytes) / compilerBytes);
  return Math.max(1, Math.min(usableCores(), fitting));
}

/** Works on as many items at a time as `compilersAtATime` says. */
async function runAll<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    } catch (error) {
      queue.length = 0;
      throw error;
    }
  };
  // All of them, so that nothing is still written when one has failed.
  const ended = await Promise.allSettled(Array.from({ length: compilersAtATime() }, worker));
  const failed = ended.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
