import { join, resolve } from 'node:path';
import { z } from 'zod';
import { cacheFolder } from './access/cache-folder';
import { duration, optional, setting, whole } from './settings';

// This file and the services' config.ts alone read the environment.

const engineWishes = ['auto', 'cuda', 'cpu', 'wasm'] as const;
export type EngineWish = (typeof engineWishes)[number];

/**
 * `native`: networks and their inputs on the fused CPU kernels; `inputs`: inputs and resampling alone on
 * them, networks on TensorFlow.js; `reference`: TensorFlow.js and TypeScript; `auto`: as fits the
 * engine.
 */
const kernelsWishes = ['auto', 'native', 'inputs', 'reference'] as const;
export type KernelsWish = (typeof kernelsWishes)[number];

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The package's, wherever the process is started; this file is compiled to dist/shared. */
export const ownModelsFolder = join(__dirname, '..', '..', 'models');

const folder = z.string().transform((path) => resolve(path));

/** Settings that the classifier and the trainer both have. */
export const commonSettings = {
  modelsFolder: setting(
    'MODELS_DIR',
    folder,
    ownModelsFolder,
    'Folder with the model versions; unset: models/ of this package, wherever the service is ' + 'started.',
  ),
  modelLoadMs: setting(
    'MODEL_LOAD_SECONDS',
    duration(1, 3600, 1000),
    '120',
    'A version that takes longer to load, or to be measured for the gate, is given up; what ' +
      'served before serves on.',
  ),
  engine: setting(
    'ENGINE',
    z.enum(engineWishes),
    'auto',
    "auto: CUDA where there is a driver, else the CPU's kernels; until these are fetched and built the best " +
      'engine that is here already, WebAssembly at least. cuda, cpu or wasm: that or nothing, and so not ' +
      'ready before it is here.',
  ),
  engineKernels: setting(
    'ENGINE_KERNELS',
    z.enum(kernelsWishes),
    'auto',
    'auto: the fused CPU kernels where they compute the network, else TensorFlow; front ends and resampling ' +
      'are theirs on every engine. native, inputs (front ends and resampling alone) or reference (nothing): ' +
      'that or nothing. libtensorflow (274 MB) is fetched only for what the kernels do ' +
      'not compute or train.',
  ),
  engineThreads: optional(
    'ENGINE_THREADS',
    whole(1, 256),
    'Threads that compute on the CPU, and the bound of those that decode; unset: as many as there' +
      " are cores, or as the control group's CPU quota allows.",
  ),
  encoder: setting(
    'ENCODER',
    z.string(),
    'auto',
    'The pretrained encoder (4 MB) that the best versions hear with. auto: from the cache, else ' +
      'fetched once from its public release, beside serving: the best version that needs none ' +
      'serves until it is here. An address: fetched from there. A path: that file. off: none.',
  ),
  datasetsFolder: setting(
    'DATASETS_DIR',
    folder,
    'datasets',
    'Folder with datasets to train on: uploaded, or put there by hand, a folder each.',
  ),
  redisUrl: {
    ...optional(
      'REDIS_URL',
      z.string().regex(/^rediss?:\/\//, 'expected redis://… or rediss://…'),
      'Where training jobs wait: a Redis that keeps what it acknowledged (appendonly yes), worked ' +
        'on by `npm run trainer` on any machine; redis://[user:password@]host[:port][/database], ' +
        'rediss:// for TLS. Unset: JOBS_DIR, and this service trains by itself, one job at a time (in containers: the image trainer, not cpu).',
    ),
    isSecret: true,
  },
  runsFolder: setting('RUNS_DIR', folder, 'runs', "Folder of the states and curves of jobs' runs."),
  runsKeepMs: setting(
    'RUNS_KEEP_HOURS',
    duration(0, 87_600, 3_600_000),
    '168',
    "How long a job's are kept after it finished; of one that could be resumed, after the job " +
      'itself is forgotten.',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    z.enum(logLevels),
    'info',
    'fatal, error, warn, info, debug, trace or silent',
  ),
};

/**
 * `$XDG_CACHE_HOME/earshot/engine`, or what stands in for it: there libtensorflow outlives node_modules.
 */
export function engineCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return cacheFolder('engine', env);
}

/** Returns the encoder's folder, which is beside the engine's and like it. */
export function encoderCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return cacheFolder('encoder', env);
}

/** `CXX` as make understands it: words with spaces between them (`ccache g++`); empty: g++. */
export function compilerCommand(): [string, ...string[]] {
  const [first = 'g++', ...others] = (process.env['CXX'] ?? '').split(/\s+/).filter((word) => word !== '');
  return [first, ...others];
}

/** The environment of a child process: this one's, with changes. */
export function childEnvironment(changes: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** Whether a package manager's script started this process. */
export function isBelowNpm(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined;
}

/**
 * TensorFlow reads its thread count, its log level and how it takes a card's memory from the process's
 * environment when its library loads, in whichever thread. They are set in the process, because a worker
 * thread's own environment is a copy that C code never sees.
 */
export function configureTensorflow(threads: number | undefined): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
  // Unless the operator says otherwise: TensorFlow would take nearly all of a card's memory at its
  // start, and leave none to other processes.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  if (threads === undefined) return;
  process.env['TF_NUM_INTRAOP_THREADS'] = String(threads);
  process.env['OMP_NUM_THREADS'] = String(threads);
}

/** What TensorFlow prints: 0 everything, 3 errors alone. */
export function tensorflowLogLevel(): number {
  return Number(process.env['TF_CPP_MIN_LOG_LEVEL'] ?? '0');
}
