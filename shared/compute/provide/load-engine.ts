import * as tf from '@tensorflow/tfjs-core';
import { constants } from 'node:os';
import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type { NetworkConfig } from '../../contracts/architecture';
import { AppError } from '../../errors/app-error';
import type { EngineChoice } from './choose-engine';
import type { KernelsChoice } from '../kernels/kernels-addon';
import type { EncoderName } from '../../contracts/front-end';
import { encoderOf, type FrontEnds } from '../../contracts/members';
import type { WeightArrays } from '../network/network';
import { loadEncoderWeights } from './encoder-file';
import { isOnKernels } from '../kernels/is-native';
import { registerTrainingKernels } from '../kernels/training-kernels';
import { loadTapped } from './stderr-tap';
import { libtensorflowVersion } from './wheels';
import { usableCores } from '../../runtime/usable-cores';

export interface LoadedEngine {
  readonly kind: EngineChoice['kind'];
  /** What it was loaded from. */
  readonly choice: EngineChoice;
  /** For people and manifests: `cpu (libtensorflow 2.21.0, 2 threads)`. */
  readonly description: string;
  readonly kernels?: KernelsChoice;
  /** Where a front end is an encoder. */
  readonly encoderWeights?: EncoderWeights;
}

/** What an encoder computes with: the parameters of its network (shared/compute/network/encoder-networks.ts). */
export interface EncoderWeights {
  readonly name: EncoderName;
  readonly values: WeightArrays;
}

interface NativeBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
}

const require_ = createRequire(__filename);

/**
 * Loads what scores these networks in the calling thread: where the kernels compute all of them, nothing
 * but them, which spares each thread TensorFlow with its own threads and memory.
 * @throws AppError as loadEngine does
 */
export async function loadScoringEngine(
  choice: EngineChoice,
  ...networks: readonly NetworkConfig[]
): Promise<LoadedEngine> {
  return networks.every((config) => isOnKernels(choice.kernels, config))
    ? loadedAs(choice)
    : loadEngine(choice);
}

/**
 * Makes the chosen engine TensorFlow.js's backend in the calling thread.
 * @throws AppError engine-unavailable when it does not load, or when CUDA was asked for and no GPU
 *   computes
 */
export async function loadEngine(choice: EngineChoice): Promise<LoadedEngine> {
  const current = tf.getBackend() as string | undefined;
  if (current !== backendName(choice)) await registerBackend(choice);
  return loadedAs(choice);
}

function loadedAs(choice: EngineChoice): LoadedEngine {
  const { kind, kernels } = choice;
  return { kind, choice, description: describe(choice), ...(kernels && { kernels }) };
}

/**
 * The engine with the encoder that one of the front ends is, if one is.
 * @param modelsFolder where small encoders are kept
 * @throws AppError as loadEncoderWeights does
 */
export async function withEncoder(
  engine: LoadedEngine,
  frontEnds: FrontEnds,
  modelsFolder: string,
): Promise<LoadedEngine> {
  const encoder = encoderOf(frontEnds);
  if (encoder === undefined) return engine;
  const values = await loadEncoderWeights(encoder, { large: engine.choice.encoderFile, modelsFolder });
  return { ...engine, encoderWeights: { name: encoder.encoder.name, values } };
}

/** What computes these networks, for people and manifests: `cpu (native avx512 kernels, 2 threads)`. */
export function describeEngine(
  { description, kernels }: LoadedEngine,
  ...networks: readonly NetworkConfig[]
): string {
  const areOnKernels = networks.every((config) => isOnKernels(kernels, config));
  return kernels !== undefined && areOnKernels ? describeKernels(kernels) : description;
}

function describeKernels({ instructionSet, threads }: KernelsChoice): string {
  return `cpu (native ${instructionSet} kernels, ${threadCount(threads)})`;
}

function backendName(choice: EngineChoice): string {
  return choice.kind === 'wasm' ? 'wasm' : 'tensorflow';
}

async function registerBackend(choice: EngineChoice): Promise<void> {
  try {
    if (choice.kind === 'wasm') await registerWasm();
    else {
      const bindingPath = bindingOf(choice);
      loadTapped(dirname(bindingPath), () => {
        registerNative(bindingPath);
      });
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('engine-unavailable', `The ${choice.kind} engine does not load: ${reason}`, { cause });
  }
  if (choice.kind === 'cuda' && !(tf.backend() as NativeBackend).isUsingGpuDevice) {
    throw new AppError(
      'engine-unavailable',
      'TensorFlow found no GPU that it can use: is the NVIDIA driver loaded?',
    );
  }
}

/** @throws Error where the kernels were chosen to compute everything */
function bindingOf({ bindingPath }: Exclude<EngineChoice, { kind: 'wasm' }>): string {
  if (bindingPath !== undefined) return bindingPath;
  throw new Error('the kernels do not compute this network, and libtensorflow was not fetched');
}

async function registerWasm(): Promise<void> {
  const wasm = require_('@tensorflow/tfjs-backend-wasm') as { setWasmPaths: (folder: string) => void };
  wasm.setWasmPaths(dirname(require_.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  await tf.setBackend('wasm');
  await tf.ready();
}

/**
 * The package's own entry looks for the binding inside node_modules, where its install script would have
 * put it. Its parts are loaded one by one instead, so that the binding can stay in the cache.
 */
function registerNative(bindingPath: string): void {
  restoreRemovedUtilities();
  require_('@tensorflow/tfjs-node-gpu/dist/register_all_kernels');
  const { NodeJSKernelBackend } = require_('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend') as {
    NodeJSKernelBackend: new (binding: unknown, packageName: string) => tf.KernelBackend;
  };
  const binding = loadForGood(bindingPath);
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu'));
  registerTrainingKernels();
  tf.setBackend('tensorflow').catch(() => undefined); // native backends initialise synchronously
  if (tf.getBackend() !== 'tensorflow') throw new Error('TensorFlow.js did not accept the native backend');
}

/** The flag of Linux's dlfcn.h; Node knows no name for it. */
const RTLD_NODELETE = 0x1000;

/**
 * The library stays when its thread ends: libtensorflow leaves exit handlers behind, and unloaded before
 * the process exits it would take their code with it.
 */
function loadForGood(bindingPath: string): unknown {
  const module = { exports: {} };
  process.dlopen(module, bindingPath, constants.dlopen.RTLD_LAZY | RTLD_NODELETE);
  return module.exports;
}

/** The package calls two functions that Node 23 removed and Node 22 warns of (tensorflow/tfjs#8609). */
function restoreRemovedUtilities(): void {
  Object.assign(require_('node:util') as object, {
    isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
    isArray: (value: unknown): boolean => Array.isArray(value),
  });
}

function describe(choice: EngineChoice): string {
  const { kernels } = choice;
  const inputs = kernels?.computes === 'inputs' ? `, native ${kernels.instructionSet} front end` : '';
  if (choice.kind === 'wasm') return `wasm (SIMD, one thread, inference only${inputs})`;
  if (choice.bindingPath === undefined && kernels !== undefined) return describeKernels(kernels);
  const threads = threadCount(choice.threads ?? usableCores());
  return `${choice.kind} (libtensorflow ${libtensorflowVersion}, ${threads}${inputs})`;
}

function threadCount(threads: number): string {
  return `${threads} thread${threads === 1 ? '' : 's'}`;
}
