import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { createDecoderPool } from '../../shared/audio/decoder-pool';
import { windowInputs } from '../../shared/audio/window-inputs';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { FoldResult } from '../../shared/contracts/report';
import { chooseEngine } from '../../shared/engine/choose-engine';
import { loadEngine } from '../../shared/engine/load-engine';
import { AppError } from '../../shared/errors/app-error';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { openRegistry } from '../../shared/registry/registry';
import { writeFileAtomically } from '../../shared/registry/write-atomically';
import { codeVersion } from './code-version';
import { networkOf, trainingOf, type TrainCommand } from './command-line';
import { loadDataset, type Dataset } from './dataset';
import { evaluateEnsemble, type FoldRun } from './evaluate-ensemble';
import { evaluateRun } from './evaluate-run';
import { crossValidationLines, evaluationLines, foldResult } from './fold-figures';
import { splitFolds } from './folds';
import { meanHistory } from './mean-history';
import { publishVersion, type PublishedNetworks } from './publish-version';
import { createStatusLine } from './status-line';
import { trainFold, type CommandContext, type Workshop } from './train-fold';
import { madeSounds } from './unknown/made-sounds';
import { speechSounds } from './unknown/speech';

/** The project's folder: this file is compiled to dist/services/trainer. */
const projectFolder = resolve(__dirname, '..', '..', '..');

/** `npm run train`: data, engine, one run or one a validation fold, reports and a published version. */
export async function trainCommand(command: TrainCommand, context: CommandContext): Promise<void> {
  const network = networkOf(command);
  const { frontEnd, hyperparameters } = trainingOf(command);
  const engine = await loadTrainingEngine(context);
  const dataset = await loadClips(command, frontEnd, context);
  say(context, `${dataset.clips.length} clips of ${dataset.classes.length} classes; engine ${engine}`);
  const knowsOthers = hyperparameters.optimizer === 'adamw';
  const sounds = knowsOthers ? await otherSounds(frontEnd) : {};
  const settings = { network, frontEnd, hyperparameters };
  const workshop = { ...context, ...settings, command, dataset, engine, madeSounds: sounds };
  if (command['cross-validate']) await crossValidate(workshop);
  else await trainOne(workshop);
}

async function trainOne(workshop: Workshop): Promise<void> {
  const { command, dataset } = workshop;
  const folds = { testFold: command['test-fold'], validationFold: command['validation-fold'] };
  const split = splitFolds(dataset, folds, command.blind);
  const { run, folder } = await trainFold(workshop, split);
  const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
  say(workshop, evaluationLines(evaluation));
  const { settings, engine, history } = run.progress;
  await publish(workshop, { network: run.network, members: 1, settings, engine, history, evaluation });
  say(workshop, `Curves and state in ${folder}`);
}

/**
 * Every fold but the test fold validates in turn. The report's networks are only compared; networks of the other recipe
 * are published together, as one version, and only that version sees the test fold.
 */
async function crossValidate(workshop: Workshop): Promise<void> {
  const { command, config, dataset, hyperparameters } = workshop;
  const testFold = command['test-fold'];
  const together = hyperparameters.optimizer === 'adamw';
  const folds = [...new Set(dataset.clips.map(({ fold }) => fold))]
    .filter((fold) => fold !== testFold)
    .sort();
  const results: FoldResult[] = [];
  const runs: FoldRun[] = [];
  for (const validationFold of folds) {
    const split = splitFolds(dataset, { testFold, validationFold }, together || command.blind);
    const { run } = await trainFold(workshop, split);
    const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
    results.push(foldResult(validationFold, split.protocol.trainFolds, evaluation));
    runs.push({ run, split });
    say(workshop, evaluationLines(evaluation));
  }
  const summary = summariseFolds(testFold, results);
  const name = `cross-validation-${command.architecture}-t${testFold ?? 'none'}-s${command.seed}.json`;
  const file = join(config.runsFolder, name);
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  say(workshop, `${crossValidationLines(summary)}\nWritten to ${file}`);
  if (!together || testFold === null) return;
  const test = command.blind ? [] : dataset.clips.filter(({ fold }) => fold === testFold);
  const evaluation = evaluateEnsemble(runs, test, evaluationOptions(workshop));
  say(workshop, `${runs.length} networks together:\n${evaluationLines(evaluation)}`);
  const { network, progress } = runs[0]!.run;
  await publish(workshop, {
    network,
    members: runs.length,
    settings: { ...progress.settings, protocol: { testFold, validationFold: null, trainFolds: folds } },
    engine: progress.engine,
    history: meanHistory(runs.map(({ run }) => run.progress.history)),
    evaluation,
    crossValidation: summary,
  });
}

function evaluationOptions({
  frontEnd,
  dataset,
  command,
  madeSounds,
}: Workshop): Parameters<typeof evaluateRun>[2] {
  return { frontEnd, classes: dataset.classes, dtype: command.precision, madeSounds };
}

async function loadTrainingEngine({ config, output }: CommandContext): Promise<string> {
  const line = createStatusLine(output, Date.now);
  const choice = await chooseEngine({
    wish: config.engine,
    threads: config.engineThreads,
    onProgress: (text) => {
      line.update(text);
    },
    onFallback: (reason) => {
      line.print(reason);
    },
  });
  line.close();
  if (choice.kind === 'wasm') {
    throw new AppError(
      'engine-unavailable',
      'Training needs libtensorflow; the WebAssembly engine only infers. Install python3 with pip, and g++, then ' +
        'run this command again.',
    );
  }
  return (await loadEngine(choice)).description;
}

async function loadClips(
  command: TrainCommand,
  frontEnd: FrontEnd,
  { config, output, signal }: CommandContext,
): Promise<Dataset> {
  const decoder = createDecoderPool({ threads: availableParallelism() });
  const line = createStatusLine(output, Date.now);
  try {
    return await loadDataset({
      folder: command.data ?? config.dataFolder,
      csv: command.csv,
      esc10Only: command['esc10-only'],
      frontEnd,
      decoder,
      cacheFolder: config.clipCacheFolder,
      onProgress: ({ done, total }) => {
        line.update(`Reading clips: ${done} of ${total}`);
      },
      signal,
    });
  } finally {
    line.close();
    await decoder.close();
  }
}

/** Seed of the sounds that are none of the classes: the same for every version, so that versions compare. */
const otherSoundsSeed = 1;

async function otherSounds(frontEnd: FrontEnd): Promise<Workshop['madeSounds']> {
  const { sampleRate, windowSeconds } = frontEnd;
  const decoder = createDecoderPool({ threads: availableParallelism() });
  try {
    const sounds = [
      // Silence is known by its level, whatever a network makes of it.
      ...madeSounds(sampleRate, windowSeconds, otherSoundsSeed).filter(({ kind }) => kind !== 'silence'),
      ...(await speechSounds(decoder, sampleRate)),
    ];
    return Object.fromEntries(
      [...new Set(sounds.map(({ kind }) => kind))].map((kind) => [
        kind,
        sounds
          .filter((sound) => sound.kind === kind)
          .map(({ samples }) => ({ label: -1, inputs: windowInputs(samples, frontEnd) })),
      ]),
    );
  } finally {
    await decoder.close();
  }
}

async function publish(
  { command, frontEnd, config, dataset, output }: Workshop,
  networks: PublishedNetworks,
): Promise<void> {
  const version = await publishVersion(openRegistry(config.modelsFolder), networks, {
    createdAt: new Date(),
    classes: dataset.classes,
    frontEnd,
    data: { clips: dataset.clips.length, fingerprint: dataset.fingerprint },
    code: await codeVersion(projectFolder),
    dtype: command.precision,
  });
  say({ output }, `Published ${version.folder} (report.html inside)`);
}

function say({ output }: Pick<CommandContext, 'output'>, text: string): void {
  output.write(`${text}\n`);
}
