import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { cacheFolder } from '../access/cache-folder';
import type { NetworkConfig } from '../contracts/architecture';
import { AppError } from '../errors/app-error';
import { isShortage } from '../errors/machine-fault';
import { usableCores } from '../threads/usable-cores';
import { buildKernels } from './build-kernels';
import { loadKernels, type KernelsChoice } from './kernels-addon';
import { isNative } from './native-network';
import { provideEngine, type NativeEngineKind } from './provide';

export const engineWishes = ['auto', 'cuda', 'cpu', 'wasm'] as const;
export type EngineWish = (typeof engineWishes)[number];

/** `native`: the fused CPU kernels; `reference`: TensorFlow.js; `auto`: native where it computes the network. */
export const kernelsWishes = ['auto', 'native', 'reference'] as const;
export type KernelsWish = (typeof kernelsWishes)[number];

/** What an engine is wanted for. */
export interface EngineTask {
  readonly networks: readonly NetworkConfig[];
  /** Whether TensorFlow.js would train them where the kernels cannot be had: WebAssembly only infers. */
  readonly trains: boolean;
}

/** Where to compute. Plain data: it is handed to the thread that loads it. */
export type EngineChoice = (
  | { readonly kind: 'cuda'; readonly bindingPath: string; readonly threads?: number }
  /** Without a binding the kernels compute everything, and libtensorflow need not be there. */
  | { readonly kind: 'cpu'; readonly bindingPath?: string; readonly threads?: number }
  | { readonly kind: 'wasm'; readonly threads?: number }
) & {
  readonly kernels?: KernelsChoice;
  /** The file with the pretrained encoder's weights, where it is on this machine. */
  readonly encoderFile?: string;
};

export interface ChooseOptions {
  readonly wish: EngineWish;
  /** Default: anything, so that TensorFlow must be there. */
  readonly task?: EngineTask;
  /** Default auto: the kernels where the engine is not CUDA. */
  readonly kernels?: KernelsWish;
  /** Threads for one operation; default all cores that this process may use. */
  readonly threads?: number | undefined;
  readonly cacheFolder?: string | undefined;
  readonly onProgress: (line: string) => void;
  /** Told why a better engine was passed over. */
  readonly onFallback: (reason: string) => void;
  /** Calls off what is fetched and built. */
  readonly signal?: AbortSignal | undefined;
}

/** `$XDG_CACHE_HOME/earshot/engine`, or what stands in for it: there libtensorflow outlives node_modules. */
export function defaultEngineCache(env: NodeJS.ProcessEnv): string {
  return cacheFolder('engine', env);
}

/**
 * CUDA where an NVIDIA driver is loaded; else the native kernels, alone where they compute all that the task names; else the CPU's
 * libtensorflow; else WebAssembly. What is only scored does without libtensorflow, 274 MB to fetch, unless it is asked for. A forced
 * engine is provided or refused, never replaced.
 *
 * TensorFlow reads its thread count and log level from the process's environment when its library loads, in
 * whichever thread; they are set here because a worker thread's own environment is a copy that C code never sees.
 *
 * @throws AppError engine-unavailable when a forced engine cannot be had, with the reason; cancelled. Where the machine has too little
 *   of something just now (`isShortage`) that is thrown too: it says nothing of any engine, and who asks again may get the best one
 */
export async function chooseEngine(wishes: ChooseOptions): Promise<EngineChoice> {
  const options = { ...wishes, threads: wishes.threads ?? quotaThreads() };
  if (isForKernels(options)) {
    const kernels = await chooseKernels(options);
    if (kernels !== undefined) return { kind: 'cpu', kernels, ...threadsOf(options) };
    if (options.wish === 'auto' && options.task?.trains === false) return wasmEngine(options);
    return chooseTensorflow(options);
  }
  const choice = await chooseTensorflow(options);
  // A GPU is faster, and who asks for WebAssembly means it.
  const isOwnChoice = choice.kind === 'cuda' || options.wish === 'wasm';
  if (isOwnChoice && options.kernels !== 'native') return choice;
  const kernels = await chooseKernels(options);
  return kernels === undefined ? choice : { ...choice, kernels };
}

/** Whether the kernels, where they can be had, are all that the task needs. */
export function isForKernels({ wish, kernels, task }: ChooseOptions): boolean {
  if (kernels === 'reference' || task?.networks.every(isNative) !== true) return false;
  return wish === 'cpu' || (wish === 'auto' && !hasNvidiaDriver());
}

/** TensorFlow sees on which cores it may run, not how many of them it may use at a time. */
function quotaThreads(): number | undefined {
  const cores = usableCores();
  return cores < availableParallelism() ? cores : undefined;
}

async function chooseTensorflow(options: ChooseOptions): Promise<EngineChoice> {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  if (options.threads !== undefined) {
    process.env['TF_NUM_INTRAOP_THREADS'] = String(options.threads);
    process.env['OMP_NUM_THREADS'] = String(options.threads);
  }
  if (options.wish === 'wasm') return wasmEngine(options);
  if (options.wish === 'cuda' && !hasNvidiaDriver()) {
    throw new AppError('engine-unavailable', 'ENGINE=cuda, but no NVIDIA driver is loaded on this machine.');
  }
  if (options.wish !== 'auto') return provideNative(options.wish, options);
  const candidates: NativeEngineKind[] = hasNvidiaDriver() ? ['cuda', 'cpu'] : ['cpu'];
  for (const kind of candidates) {
    try {
      return await provideNative(kind, options);
    } catch (error) {
      if (AppError.from(error).code === 'cancelled' || isShortage(error)) throw error;
      options.onFallback(`${kind} engine unavailable: ${AppError.from(error).message}`);
    }
  }
  return wasmEngine(options);
}

function wasmEngine(options: ChooseOptions): EngineChoice {
  return { kind: 'wasm', ...threadsOf(options) };
}

function threadsOf({ threads }: ChooseOptions): { readonly threads?: number } {
  return threads === undefined ? {} : { threads };
}

/** @throws AppError engine-unavailable when the kernels are forced and cannot be had; a shortage */
async function chooseKernels(options: ChooseOptions): Promise<KernelsChoice | undefined> {
  const { kernels: wish = 'auto', onFallback, signal } = options;
  if (wish === 'reference') return undefined;
  try {
    return await provideKernels(options);
  } catch (error) {
    if (wish === 'native' || signal?.aborted === true || isShortage(error)) throw error;
    const instead = options.wish === 'auto' && options.task?.trains === false ? 'WebAssembly' : 'TensorFlow';
    onFallback(
      `Native kernels unavailable, ${instead} computes instead, several times slower: ${AppError.from(error).message}`,
    );
    return undefined;
  }
}

async function provideKernels(options: ChooseOptions): Promise<KernelsChoice> {
  const { kernels, onProgress, signal } = options;
  const cacheFolder = options.cacheFolder ?? defaultEngineCache(process.env);
  const path = await buildKernels({ cacheFolder, onProgress, signal });
  const [instructionSet] = loadKernels(path).instructionSets();
  const threads = options.threads ?? usableCores();
  return { path, instructionSet: instructionSet!, threads, forced: kernels === 'native' };
}

async function provideNative(kind: NativeEngineKind, options: ChooseOptions): Promise<EngineChoice> {
  const cacheFolder = options.cacheFolder ?? defaultEngineCache(process.env);
  const { onProgress, signal } = options;
  const { bindingPath } = await provideEngine(kind, { cacheFolder, onProgress, signal });
  return { kind, bindingPath, ...threadsOf(options) };
}

function hasNvidiaDriver(): boolean {
  return existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidiactl');
}
