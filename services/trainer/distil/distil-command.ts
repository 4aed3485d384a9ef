import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { chooseEngine } from '../../../shared/compute/provide/choose-engine';
import {
  loadEncoderWeights,
  smallEncoderFile,
  smallEncoderWeights,
} from '../../../shared/compute/provide/encoder-file';
import { findOrFetchEncoder } from '../../../shared/compute/provide/provide-encoder';
import type { KernelsChoice } from '../../../shared/compute/kernels/kernels-addon';
import { smallEncoderNetwork } from '../../../shared/compute/network/encoder-networks';
import type { WeightArrays } from '../../../shared/compute/network/network';
import { encoderFrontEnd } from '../../../shared/contracts/front-end';
import { createDecoderPool, maxDecodeThreads } from '../../../shared/decode/pool/decoder-pool';
import { AppError } from '../../../shared/errors/app-error';
import { ifAbsent } from '../../../shared/errors/machine-fault';
import { flagOf, parseDistillationRequest } from '../options/command-line';
import type { DistillationRequest } from '../options/distillation-request';
import { createStatusLine, type StatusLine } from '../../../shared/observability/status-line';
import { readSafetensors, writeSafetensors } from '../../../shared/registry/safetensors';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { loadClips, type CommandContext } from '../context/training-context';
import { sha256 } from '../data/checked-file';
import type { Dataset } from '../data/dataset';
import { taughtSounds } from '../outliers/taught/taught-sounds';
import { Distiller, type DistillationState } from './distil';
import { readSounds, type UnlabelledSounds } from './read-sounds';

/** Steps between two savings of the run's state, and between two lines about its loss. */
const stepsPerSave = 250;
/** The made sounds among the others. */
const taughtSeed = 1;

/**
 * `npm run distil`: teaches a small encoder. A run that was stopped goes on when it is started again.
 * @throws AppError invalid-configuration, invalid-dataset, engine-unavailable, cancelled
 */
export async function distilCommand(args: readonly string[], context: CommandContext): Promise<void> {
  const options = parseDistillationRequest(args);
  const { config, output, signal } = context;
  const line = createStatusLine(output, Date.now);
  try {
    const kernels = await nativeKernels(context, line);
    const teacher = await loadTeacher(context, line);
    const sounds = await readUnlabelled(options.sounds, context, line);
    const dataset = await readFolds(options, context);
    const folds = options.folds;
    const labelled = dataset?.clips.filter(({ fold }) => folds.includes(fold)) ?? [];
    const from = options.from === undefined ? undefined : await readFile(options.from);
    const start = from && smallEncoderWeights(readSafetensors(from));
    const { sampleRate, windowSeconds } = encoderFrontEnd;
    const taught = taughtSounds(sampleRate, windowSeconds, taughtSeed).map(({ samples }) => samples);
    const facts = {
      teacher: encoderFrontEnd.encoder.sha256,
      sounds: sounds.fingerprint,
      ...(dataset === undefined ? {} : { data: dataset.fingerprint, folds: folds.join() }),
      ...(from === undefined ? {} : { from: sha256Of(from) }),
      share: String(options.share),
      steps: String(options.steps),
      learningRate: String(options.learningRate),
      seed: String(options.seed),
    };
    const stateFile = join(
      config.clipCacheFolder,
      '..',
      `distil-${sha256Of(JSON.stringify(facts)).slice(0, 16)}`,
    );
    const distiller = new Distiller({
      kernels,
      teacher,
      sounds: {
        labelled: labelled.map(({ samples }) => samples),
        others: [...sounds.samples, ...taught],
        labelledShare: options.share,
      },
      steps: options.steps,
      learningRate: options.learningRate,
      seed: options.seed,
      start,
      state: await readState(stateFile),
    });
    await teach(distiller, { steps: options.steps, stateFile, line, signal });
    const file = await publish(distiller.weights(), facts, config.modelsFolder);
    distiller.dispose();
    await rm(stateFile, { force: true });
    line.print(
      `Heard ${sounds.samples.length + taught.length} sounds and ${labelled.length} clips of the data set.`,
    );
    line.print(
      `Published ${file}; learn classes on it with: npm run train -- ${flagOf('architecture')} small ${flagOf('encoder')} ${file}`,
    );
  } finally {
    line.close();
  }
}

async function nativeKernels({ config, signal }: CommandContext, line: StatusLine): Promise<KernelsChoice> {
  const { kernels } = await chooseEngine({
    wish: 'cpu',
    task: { networks: [{ architecture: 'small' }], trains: false },
    kernels: 'native',
    threads: config.engineThreads,
    signal,
    onProgress: (text) => {
      line.update(text);
    },
    onFallback: (reason) => {
      line.print(reason);
    },
  });
  if (kernels !== undefined) return kernels;
  throw new AppError(
    'engine-unavailable',
    'An encoder is taught on the native kernels: install g++, then try again.',
  );
}

async function loadTeacher({ config, signal }: CommandContext, line: StatusLine): Promise<WeightArrays> {
  line.update('Fetching the encoder');
  const { encoder: wish, encoderCacheFolder: cacheFolder } = config;
  const large = await findOrFetchEncoder({ wish, cacheFolder, signal });
  return loadEncoderWeights(encoderFrontEnd, { large, modelsFolder: config.modelsFolder });
}

async function readUnlabelled(
  sources: readonly string[],
  { config, signal }: CommandContext,
  line: StatusLine,
): Promise<UnlabelledSounds> {
  const decoder = createDecoderPool({ threads: maxDecodeThreads(config.engineThreads) });
  try {
    const sounds = await readSounds(sources, {
      decoder,
      signal,
      onProgress: (done, total) => {
        line.update(`Reading sounds: ${done} of ${total}`);
      },
    });
    for (const problem of sounds.problems) line.print(`Left out: ${problem}`);
    return sounds;
  } finally {
    await decoder.close();
  }
}

/** @returns undefined where no clips of it are to be heard. @throws AppError invalid-dataset, cancelled */
async function readFolds(
  options: DistillationRequest,
  context: CommandContext,
): Promise<Dataset | undefined> {
  const { folds, data, esc10Only } = options;
  if (folds.length === 0) return undefined;
  const dataset = await loadClips({ data, csv: undefined, esc10Only }, [encoderFrontEnd], context);
  const absent = folds.filter((fold) => !dataset.clips.some((clip) => clip.fold === fold));
  if (absent.length === 0) return dataset;
  throw new AppError('invalid-dataset', `The data set has no clips of fold ${absent.join(' and ')}.`);
}

interface TeachOptions {
  readonly steps: number;
  readonly stateFile: string;
  readonly line: StatusLine;
  readonly signal: AbortSignal;
}

async function teach(distiller: Distiller, { steps, stateFile, line, signal }: TeachOptions): Promise<void> {
  const startedMs = performance.now();
  const first = distiller.state().step;
  let sum = 0;
  let recent = 0;
  for (let step = first + 1; step <= steps; step++) {
    sum += distiller.next();
    const elapsed = performance.now() - startedMs;
    const minutes = ((elapsed / (step - first)) * (steps - step)) / 60_000;
    line.update(`Step ${step} of ${steps}, loss ${recent.toFixed(3)}, ${minutes.toFixed(0)} minutes left`);
    if (step % stepsPerSave === 0 || step === steps) {
      recent = sum / (((step - 1) % stepsPerSave) + 1);
      sum = 0;
      line.print(`Step ${step} of ${steps}: loss ${recent.toFixed(4)}`);
      await writeFileAtomically(stateFile, serialize(distiller.state()));
    }
    // Signals are heard between two steps.
    await new Promise((resume) => setImmediate(resume));
    if (signal.aborted) {
      throw new AppError('cancelled', 'Stopped; the same command goes on from the last saved step.');
    }
  }
}

async function readState(file: string): Promise<DistillationState | undefined> {
  const bytes = await readFile(file).catch(ifAbsent(undefined));
  return bytes === undefined ? undefined : (deserialize(bytes) as DistillationState);
}

async function publish(
  weights: WeightArrays,
  metadata: Readonly<Record<string, string>>,
  modelsFolder: string,
): Promise<string> {
  const tensors = new Map(
    smallEncoderNetwork.parameters.map(({ name, shape }) => [name, { shape, values: weights[name]! }]),
  );
  const bytes = writeSafetensors({ tensors, metadata });
  const file = smallEncoderFile(modelsFolder, sha256Of(bytes));
  await mkdir(dirname(file), { recursive: true });
  await writeFileAtomically(file, bytes);
  return file;
}

function sha256Of(content: string | Uint8Array): string {
  return sha256(content).toString('hex');
}
