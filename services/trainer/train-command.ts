import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { createDecoderPool } from '../../shared/audio/decoder-pool';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Hyperparameters } from '../../shared/contracts/manifest';
import type { CrossValidation, FoldResult, Spread } from '../../shared/contracts/report';
import { chooseEngine } from '../../shared/engine/choose-engine';
import { loadEngine } from '../../shared/engine/load-engine';
import { AppError } from '../../shared/errors/app-error';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { openRegistry } from '../../shared/registry/registry';
import { writeFileAtomically } from '../../shared/registry/write-atomically';
import { codeVersion } from './code-version';
import { networkOf, trainingOf, type TrainCommand } from './command-line';
import type { TrainerConfig } from './config';
import { loadDataset, type Dataset } from './dataset';
import { evaluateRun, type RunEvaluation } from './evaluate-run';
import { splitFolds, type FoldSplit } from './folds';
import { openMetricsLog } from './metrics-log';
import { createProgress } from './progress';
import { publishVersion } from './publish-version';
import { runName, type RunSettings } from './run-settings';
import { openRunStore, type RunStore } from './run-store';
import { createStatusLine, type TextStream } from './status-line';
import { openTensorboard } from './tensorboard';
import { stepsPerEpoch } from './recipe';
import { train, type TrainedRun } from './train';

/** The project's folder: this file is compiled to dist/services/trainer. */
const projectFolder = resolve(__dirname, '..', '..', '..');

export interface CommandContext {
  readonly config: TrainerConfig;
  readonly output: TextStream;
  readonly signal: AbortSignal;
}

interface Workshop extends CommandContext {
  readonly command: TrainCommand;
  readonly frontEnd: FrontEnd;
  readonly hyperparameters: Hyperparameters;
  readonly dataset: Dataset;
  readonly engine: string;
}

/** `npm run train`: data, engine, one run or one a validation fold, reports and a published version. */
export async function trainCommand(command: TrainCommand, context: CommandContext): Promise<void> {
  const network = networkOf(command);
  const { frontEnd, hyperparameters } = trainingOf(command);
  const engine = await loadTrainingEngine(context);
  const dataset = await loadClips(command, frontEnd, context);
  const workshop = { ...context, command, frontEnd, hyperparameters, dataset, engine };
  say(context, `${dataset.clips.length} clips of ${dataset.classes.length} classes; engine ${engine}`);
  const validationFolds = command['cross-validate']
    ? [...new Set(dataset.clips.map(({ fold }) => fold))]
        .filter((fold) => fold !== command['test-fold'])
        .sort()
    : [command['validation-fold']];

  const results: FoldResult[] = [];
  for (const validationFold of validationFolds) {
    const split = splitFolds(dataset, { testFold: command['test-fold'], validationFold }, command.blind);
    const { run, evaluation, folder } = await trainFold(workshop, network, split);
    results.push(foldResult(split, evaluation));
    say(context, foldLines(evaluation));
    if (!command['cross-validate']) await publish(workshop, run, evaluation, folder);
  }
  if (command['cross-validate']) await reportCrossValidation(workshop, network.architecture, results);
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

interface FoldRun {
  readonly run: TrainedRun;
  readonly evaluation: RunEvaluation;
  readonly folder: string;
}

async function trainFold(
  { command, frontEnd, hyperparameters, config, output, signal, dataset, engine }: Workshop,
  network: RunSettings['network'],
  split: FoldSplit,
): Promise<FoldRun> {
  const settings: RunSettings = {
    network,
    hyperparameters,
    protocol: split.protocol,
    seed: command.seed,
  };
  const store = await openRunStore(config.runsFolder, runName(settings, dataset.fingerprint));
  await prepareStore(store, command, hyperparameters.epochs);
  const history = (await store.load())?.progress.history ?? [];
  const metricsLog = await openMetricsLog(join(store.folder, 'metrics.jsonl'), history);
  const tensorboard = await openTensorboard(join(store.folder, 'tensorboard'), history);
  const progress = createProgress({
    stream: output,
    epochs: hyperparameters.epochs,
    epochsDone: history.length,
    batchesPerEpoch: stepsPerEpoch(hyperparameters, split.train.length),
  });
  try {
    const run = await train({
      settings,
      frontEnd,
      classes: dataset.classes,
      split,
      dataFingerprint: dataset.fingerprint,
      engine,
      store,
      signal,
      onBatch: ({ clipsDone, loss, accuracy }) => {
        progress.batch({ batch: Math.ceil(clipsDone / hyperparameters.batchSize), loss, accuracy });
      },
      onEpoch: async (metrics) => {
        await metricsLog.append(metrics);
        await tensorboard.append(metrics);
        progress.epoch(metrics);
      },
    });
    const evaluation = evaluateRun(run, split, frontEnd, dataset.classes, command.precision);
    return { run, evaluation, folder: store.folder };
  } finally {
    progress.close();
    await metricsLog.close();
    await tensorboard.close();
  }
}

/** What an earlier run with the same settings left is continued or forgotten only when it is said which. */
async function prepareStore(store: RunStore, { resume, fresh }: TrainCommand, epochs: number): Promise<void> {
  if (fresh) {
    await store.clear();
    return;
  }
  const earlier = await store.load();
  if (earlier === undefined || resume) return;
  const done = earlier.progress.history.length;
  throw new AppError(
    'invalid-configuration',
    `This run exists and has ${done} of ${epochs} epochs: --resume continues it, --fresh starts it anew.`,
  );
}

function foldResult({ protocol }: FoldSplit, { best, last }: RunEvaluation): FoldResult {
  const figures = ({ epoch, validation, test }: RunEvaluation['best']): FoldResult['best'] => ({
    epoch,
    validationAccuracy: validation.accuracy,
    validationMacroF1: validation.macro.f1,
    ...(test === undefined ? {} : { testAccuracy: test.accuracy, testMacroF1: test.macro.f1 }),
  });
  const { validationFold, trainFolds } = protocol;
  return { validationFold, trainFolds: [...trainFolds], best: figures(best), last: figures(last) };
}

function foldLines({ best, last }: RunEvaluation): string {
  const line = (name: string, { epoch, validation, test }: RunEvaluation['best']): string => {
    const validated = `validation accuracy ${percent(validation.accuracy)}, loss ${validation.loss.toFixed(3)}`;
    if (test === undefined) return `${name} epoch (${epoch}): ${validated}`;
    const { lower, upper } = test.accuracyInterval;
    return (
      `${name} epoch (${epoch}): test accuracy ${percent(test.accuracy)} (95 % interval ${percent(lower)} to ` +
      `${percent(upper)}), test macro F1 ${test.macro.f1.toFixed(3)}, ${validated}`
    );
  };
  return `${line('best-validation', best)}\n${line('last', last)}`;
}

async function publish(
  { command, frontEnd, config, dataset, output }: Workshop,
  run: TrainedRun,
  evaluation: RunEvaluation,
  folder: string,
): Promise<void> {
  const version = await publishVersion(openRegistry(config.modelsFolder), run, evaluation, {
    createdAt: new Date(),
    classes: dataset.classes,
    frontEnd,
    data: { clips: dataset.clips.length, fingerprint: dataset.fingerprint },
    code: await codeVersion(projectFolder),
    dtype: command.precision,
  });
  output.write(`Published ${version.folder} (report.html inside); curves and state in ${folder}\n`);
}

async function reportCrossValidation(
  { command, config, output }: Workshop,
  architecture: string,
  folds: readonly FoldResult[],
): Promise<void> {
  const summary: CrossValidation = summariseFolds(command['test-fold'], folds);
  const file = join(
    config.runsFolder,
    `cross-validation-${architecture}-t${command['test-fold'] ?? 'none'}-s${command.seed}.json`,
  );
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  const spread = ({ mean, standardDeviation }: Spread): string =>
    `${percent(mean)} ± ${percent(standardDeviation ?? 0)}`;
  for (const which of ['best', 'last'] as const) {
    const { validationAccuracy, testAccuracy } = summary[which];
    const tested = testAccuracy === undefined ? '' : `, test ${spread(testAccuracy)}`;
    const label = which === 'best' ? 'best-validation epochs' : 'last epochs';
    say(
      { output },
      `${label}, mean ± standard deviation over ${folds.length} folds: validation ${spread(validationAccuracy)}${tested}`,
    );
  }
  say({ output }, `Written to ${file}`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function say({ output }: Pick<CommandContext, 'output'>, text: string): void {
  output.write(`${text}\n`);
}
