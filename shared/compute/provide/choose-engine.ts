import { availableParallelism } from 'node:os';
import type { NetworkConfig } from '../../contracts/architecture';
import { configureTensorflow, engineCacheFolder, type EngineWish, type KernelsWish } from '../../environment';
import { AppError } from '../../errors/app-error';
import { isShortage } from '../../errors/machine-fault';
import { usableCores } from '../../runtime/usable-cores';
import { assertAvx } from './assert-avx';
import { buildKernels, findKernels } from './build-kernels';
import { loadKernels, type KernelsChoice } from '../kernels/kernels-addon';
import { isNative } from '../kernels/is-native';
import { findNvidiaDriver } from './nvidia-driver';
import { findEngine, provideEngine, type NativeEngineKind, type ProvidedEngine } from './provide';
import { tryEngine } from './try-engine';

/** What is fetched or built before it computes. */
export type EnginePart = 'kernels' | NativeEngineKind;

/** What an engine is wanted for. */
export interface EngineTask {
  readonly networks: readonly NetworkConfig[];
  /** Whether TensorFlow.js would train them where the kernels cannot be had: WebAssembly only infers. */
  readonly trains: boolean;
}

/** Where to compute. Plain data: it is handed to the thread that loads it. */
export type EngineChoice = (
  | { readonly kind: 'cuda'; readonly bindingPath: string; readonly threads?: number }
  /** The kernels compute everything where there is no binding, and libtensorflow need not be there. */
  | { readonly kind: 'cpu'; readonly bindingPath?: string; readonly threads?: number }
  | { readonly kind: 'wasm' }
) & {
  readonly kernels?: KernelsChoice;
  /** The file with the pretrained encoder's weights, where it is on this machine. */
  readonly encoderFile?: string;
};

export interface ChooseOptions {
  readonly wish: EngineWish;
  /** Default: anything, so that TensorFlow must be there. */
  readonly task?: EngineTask;
  /** Default auto: all that they compute on the CPU, inputs alone where another engine is taken. */
  readonly kernels?: KernelsWish;
  /** Threads for one operation; default all cores that this process may use. */
  readonly threads?: number | undefined;
  readonly cacheFolder?: string | undefined;
  readonly onProgress: (line: string) => void;
  /** Told why a better engine was passed over. */
  readonly onFallback: (reason: string) => void;
  /** Calls off what is fetched and built. */
  readonly signal?: AbortSignal | undefined;
  /** Where /proc and /dev are; default /. */
  readonly root?: string;
  /**
   * Whether only what this machine has already is taken: nothing is fetched, and nothing built but
   * forced kernels.
   */
  readonly hereOnly?: boolean;
  /** What is not taken although it may be here. */
  readonly without?: ReadonlySet<EnginePart>;
}

/** TensorFlow.js on WebAssembly, which has one thread. */
const wasm: EngineChoice = { kind: 'wasm' };

/**
 * CUDA where an NVIDIA driver is loaded; else the native kernels, alone where they compute all that the
 * task names; else the CPU's libtensorflow; else WebAssembly: the first that is there and, tried in a
 * process of its own, loads. What is only scored does without libtensorflow, 274 MB to fetch, unless it
 * is asked for. A forced engine is provided or refused, never replaced.
 *
 * @throws AppError engine-unavailable when a forced engine cannot be had, with the reason; cancelled.
 *   Where the machine has too little of something just now (`isShortage`) that is thrown too: it says
 *   nothing of any engine, and who asks again may get the best one
 */
export async function chooseEngine(wishes: ChooseOptions): Promise<EngineChoice> {
  const options = { ...wishes, threads: wishes.threads ?? quotaThreads() };
  const cuda = await chooseCuda(options);
  if (cuda !== undefined) return cuda;
  if (isForKernels(options)) {
    const kernels = await chooseKernels(options);
    if (kernels !== undefined) return { kind: 'cpu', kernels, ...threadsOf(options) };
    if (options.wish === 'auto' && options.task?.trains === false) return wasm;
    return chooseTensorflow(options);
  }
  const choice = await chooseTensorflow(options);
  // Who asks for WebAssembly means it: nothing is built for it, and what is here computes its inputs.
  const isForWasm = options.wish === 'wasm' && (options.kernels ?? 'auto') === 'auto';
  const kernels = await (isForWasm
    ? chooseKernels({ ...options, hereOnly: true }, 'inputs')
    : chooseKernels(options));
  return kernels === undefined ? choice : { ...choice, kernels };
}

/**
 * The engines of this machine of which each may score the task's networks fastest; nothing is fetched or
 * built, and whether each loads is not tried. WebAssembly is among them only where it is the only one:
 * it has one thread of the CPU that the others have all threads of.
 */
export async function enginesHere(wishes: ChooseOptions): Promise<EngineChoice[]> {
  const options = { ...wishes, threads: wishes.threads ?? quotaThreads(), hereOnly: true };
  const cacheFolder = cacheOf(options);
  configureTensorflow(options.threads);
  const kernels = await chooseKernels(options, 'networks');
  const inputs = kernels && ({ ...kernels, computes: 'inputs' } as const);
  const own = threadsOf(options);
  const withInputs = (choice: EngineChoice): EngineChoice =>
    inputs ? { ...choice, kernels: inputs } : choice;
  const kinds = (['cuda', 'cpu'] as const).filter((kind) => options.without?.has(kind) !== true);
  const here = await Promise.all(kinds.map((kind) => findEngine(kind, { cacheFolder })));
  const compiled: EngineChoice[] = [
    ...(isForKernels(options) && kernels ? [{ kind: 'cpu', kernels, ...own } as const] : []),
    ...here
      .filter((engine) => engine !== undefined && (engine.kind === 'cpu' || mayBeCuda(options)))
      .map((engine) => withInputs({ ...engine!, ...own })),
  ];
  return compiled.length > 0 ? compiled : [withInputs(wasm)];
}

/** What `auto` would take before what this machine has, and is not here yet. */
export async function missingParts(options: ChooseOptions): Promise<EnginePart[]> {
  const { kernels = 'auto', without } = options;
  const isHere = async (kind: NativeEngineKind): Promise<boolean> =>
    (await findEngine(kind, { cacheFolder: cacheOf(options) })) !== undefined;
  const parts: EnginePart[] = [];
  if (mayBeCuda(options)) {
    if (!(await isHere('cuda'))) parts.push('cuda');
  } else if (!isForKernels(options) && !(await isHere('cpu'))) parts.push('cpu');
  if (kernels !== 'reference' && (await findKernels(cacheOf(options))) === undefined) parts.push('kernels');
  return parts.filter((part) => without?.has(part) !== true);
}

/**
 * Fetches or builds a part, behind everything else, and sees whether it loads. @throws AppError
 * engine-unavailable; cancelled
 */
export async function providePart(part: EnginePart, options: ChooseOptions): Promise<void> {
  const { onProgress, signal } = options;
  if (part === 'kernels') {
    const build = { cacheFolder: cacheOf(options), onProgress, signal, inBackground: true };
    loadKernels(await buildKernels(build));
    return;
  }
  await tryEngine(await provideNative(part, options), signal);
}

/**
 * Whether the kernels, where they can be had, are all that the task needs; a GPU is taken before them.
 */
function isForKernels({ wish, kernels, task }: ChooseOptions): boolean {
  if (kernels === 'reference' || kernels === 'inputs' || task?.networks.every(isNative) !== true)
    return false;
  return wish === 'cpu' || wish === 'auto';
}

/**
 * Where CUDA was given up, by cache folder: hundreds of megabytes are not fetched again in this process.
 */
const givenUpCuda = new Set<string>();

function mayBeCuda(options: ChooseOptions): boolean {
  if (options.without?.has('cuda') === true) return false;
  const driver = findNvidiaDriver(options.root);
  return driver !== undefined && driver.problem === undefined && !givenUpCuda.has(cacheOf(options));
}

/** @throws AppError engine-unavailable when CUDA is forced and cannot be had; cancelled; a shortage */
async function chooseCuda(options: ChooseOptions): Promise<EngineChoice | undefined> {
  if (options.wish === 'cuda') return provideCuda(options);
  if (options.wish !== 'auto') return undefined;
  if (!mayBeCuda(options)) {
    const problem = findNvidiaDriver(options.root)?.problem;
    if (problem !== undefined) options.onFallback(problem);
    return undefined;
  }
  if (!(await mayTake('cuda', options))) return undefined;
  try {
    return await provideCuda(options);
  } catch (error) {
    if (isPassing(error)) throw error;
    givenUpCuda.add(cacheOf(options));
    options.onFallback(`cuda engine unavailable: ${AppError.from(error).message}`);
    return undefined;
  }
}

async function provideCuda(options: ChooseOptions): Promise<EngineChoice> {
  const driver = findNvidiaDriver(options.root) ?? { problem: 'No NVIDIA driver is loaded on this machine.' };
  if (driver.problem !== undefined) {
    throw new AppError('engine-unavailable', `ENGINE=cuda cannot be had. ${driver.problem}`);
  }
  configureTensorflow(options.threads);
  const choice = await provideNative('cuda', options);
  if (options.wish === 'auto') await tryEngine(choice, options.signal);
  const kernels = await chooseKernels(options, options.kernels === 'native' ? 'networks' : 'inputs');
  return kernels === undefined ? choice : { ...choice, kernels };
}

/** Whether it says nothing of an engine. */
function isPassing(error: unknown): boolean {
  return AppError.from(error).code === 'cancelled' || isShortage(error);
}

function cacheOf({ cacheFolder }: ChooseOptions): string {
  return cacheFolder ?? engineCacheFolder();
}

/** TensorFlow sees on which cores it may run, not how many of them it may use at a time. */
function quotaThreads(): number | undefined {
  const cores = usableCores();
  return cores < availableParallelism() ? cores : undefined;
}

/**
 * On the CPU. @throws AppError engine-unavailable when it is forced and cannot be had; cancelled; a
 * shortage
 */
async function chooseTensorflow(options: ChooseOptions): Promise<EngineChoice> {
  configureTensorflow(options.threads);
  if (options.wish === 'wasm') return wasm;
  if (options.wish !== 'auto') return provideNative('cpu', options);
  if (!(await mayTake('cpu', options))) return wasm;
  try {
    const choice = await provideNative('cpu', options);
    await tryEngine(choice, options.signal);
    return choice;
  } catch (error) {
    if (isPassing(error)) throw error;
    options.onFallback(`cpu engine unavailable: ${AppError.from(error).message}`);
    return wasm;
  }
}

/** Whether it is here, or may be fetched. */
async function mayTake(kind: NativeEngineKind, options: ChooseOptions): Promise<boolean> {
  if (options.without?.has(kind) === true) return false;
  if (options.hereOnly !== true) return true;
  return (await findEngine(kind, { cacheFolder: cacheOf(options) })) !== undefined;
}

function threadsOf({ threads }: ChooseOptions): { readonly threads?: number } {
  return threads === undefined ? {} : { threads };
}

/** @throws AppError engine-unavailable when the kernels are forced and cannot be had; a shortage */
async function chooseKernels(
  options: ChooseOptions,
  computes = usefulFor(options),
): Promise<KernelsChoice | undefined> {
  const { kernels: wish = 'auto', onFallback, signal } = options;
  try {
    if (!(await mayTakeKernels(options))) return undefined;
    return { ...(await provideKernels(options)), computes };
  } catch (error) {
    if (wish !== 'auto' || signal?.aborted === true || isShortage(error)) throw error;
    onFallback(`Native kernels unavailable, ${costOf(computes, options)}: ${AppError.from(error).message}`);
    return undefined;
  }
}

/** Where they compute none of the task's networks, inputs alone; forced, they refuse such networks. */
function usefulFor({ kernels = 'auto', task }: ChooseOptions): KernelsChoice['computes'] {
  if (kernels === 'inputs') return 'inputs';
  return kernels === 'auto' && task?.networks.some(isNative) === false ? 'inputs' : 'networks';
}

/** What it costs to do without the kernels, for people. */
function costOf(computes: KernelsChoice['computes'], { wish, task }: ChooseOptions): string {
  if (computes === 'inputs') return 'front end and resampling are computed without them, on one thread';
  const instead = wish === 'auto' && task?.trains === false ? 'WebAssembly' : 'TensorFlow';
  return `${instead} computes instead, several times slower`;
}

/** Whether they are wanted, and here or to be built. */
async function mayTakeKernels(options: ChooseOptions): Promise<boolean> {
  const { kernels, hereOnly = false, without } = options;
  if (kernels === 'reference' || without?.has('kernels') === true) return false;
  if (kernels === 'native' || kernels === 'inputs' || !hereOnly) return true;
  return (await findKernels(cacheOf(options))) !== undefined;
}

async function provideKernels(options: ChooseOptions): Promise<Omit<KernelsChoice, 'computes'>> {
  const { kernels, onProgress, signal } = options;
  const path = await buildKernels({ cacheFolder: cacheOf(options), onProgress, signal });
  const [instructionSet] = loadKernels(path).instructionSets();
  const threads = options.threads ?? usableCores();
  return { path, instructionSet: instructionSet!, threads, forced: kernels === 'native' };
}

/** @throws AppError engine-unavailable; cancelled */
async function provideNative(
  kind: NativeEngineKind,
  options: ChooseOptions,
): Promise<ProvidedEngine & { readonly threads?: number }> {
  assertAvx(options.root);
  const { onProgress, signal } = options;
  const { bindingPath } = await provideEngine(kind, { cacheFolder: cacheOf(options), onProgress, signal });
  return { kind, bindingPath, ...threadsOf(options) };
}
