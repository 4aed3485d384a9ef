import { join } from 'node:path';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import { openRegistry } from '../../../shared/registry/registry';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { splitFolds, type FoldSplit } from '../data/folds';
import {
  describeVersion,
  networksOf,
  publishVersion,
  type PublishedNetworks,
} from '../evaluate/publish-version';
import { percent } from '../report/markup/format';
import { configureRecipe } from '../recipes/configure-recipe';
import { runName, type RunSettings } from '../runs/run-settings';
import { openRunStore } from '../runs/run-store';
import type { TextStream } from '../../../shared/observability/status-line';
import { evaluateVersion } from '../evaluate/evaluate-version';
import { trainFold } from '../train/train-fold';
import {
  evaluationOptions,
  openTrainingContext,
  settingsOf,
  versionFacts,
  type CommandContext,
  type TrainingContext,
} from '../context/training-context';
import { compareFolds, reportOf, type Comparison } from './comparison';
import {
  crossValidatedRuns,
  plannedRuns,
  requestOfRun,
  singleRuns,
  singleValidationFold,
  type PlannedRun,
  type Setting,
} from './protocol';
import { renderComparisonMarkdown } from './render-markdown';
import { renderComparisonPage } from './render-page';
import { openResults, testedResult, type ResultsFile, type RunResult } from './results-file';

/** A planned run with all that is needed to train it. */
interface Job extends PlannedRun {
  readonly training: TrainingContext;
  readonly split: FoldSplit;
  readonly name: string;
}

/**
 * `npm run reproduce`: every run of the report's protocol that is not finished, each from where it was
 * stopped; the pages are written anew after each. The best `cnn` and the best `transformer` become
 * versions at the end.
 */
export async function reproduceCommand(request: TrainingRequest, context: CommandContext): Promise<void> {
  const { modelsFolder } = context.config;
  const training = await openTrainingContext({ ...request, resume: true, fresh: false }, context);
  const folds = [...new Set(training.dataset.clips.map(({ fold }) => fold))]
    .filter((fold) => fold !== request.protocol.testFold)
    .sort((a, b) => a - b);
  const jobs = plannedRuns(folds).map((run) => jobOf(training, run));
  const results = await openResults(join(modelsFolder, 'REPORT.json'));
  for (const [index, job] of jobs.entries()) {
    const start = `${String(index + 1).padStart(2)}/${jobs.length} ${job.title}: `;
    const known = results.runs.get(job.name);
    if (known === undefined) {
      const result = await finish(job, start);
      await results.add(job.name, result);
      context.output.write(`${start}${inWords(result)}\n`);
    } else {
      context.output.write(`${start}${inWords(known)} (finished before)\n`);
    }
    await writePages(modelsFolder, compare(training, folds, results));
  }
  for (const architecture of ['cnn', 'transformer'] as const) {
    await publishBest(
      jobs.filter(({ training }) => training.network.architecture === architecture),
      results,
      context,
    );
  }
}

function jobOf(training: TrainingContext, run: PlannedRun): Job {
  const request = requestOfRun(training.request, run);
  const own = { ...training, request, ...configureRecipe(request) };
  const split = splitFolds(training.dataset, request.protocol);
  const name = runName(settingsOf(own, split), training.dataset.fingerprint);
  return { ...run, training: own, split, name };
}

/** Shows a run's epochs in one changing line on a terminal; elsewhere only its result is written. */
function progressStream(output: TextStream, start: string): TextStream {
  return {
    isTTY: output.isTTY,
    columns: output.columns === undefined ? undefined : Math.max(40, output.columns - start.length),
    write: (text) => {
      if (output.isTTY)
        output.write(text.replace(/^((?:\r\x1b\[2K)?)(?=epoch)/, `$1${start}`).replace(/\n$/, ''));
    },
  };
}

/** Trains what is left of the run, and judges it. */
async function trained({ training, split }: Job, output: TextStream): Promise<PublishedNetworks> {
  const networks = await trainFold({ ...training, output }, split);
  const folds = [{ split, networks, peers: [] }];
  return networksOf(folds, evaluateVersion(folds, split.test, evaluationOptions(training)));
}

async function finish(job: Job, start: string): Promise<RunResult> {
  const { training } = job;
  try {
    const networks = await trained(job, progressStream(training.output, start));
    return testedResult(describeVersion(networks, await versionFacts(training)).report);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'training-diverged') throw error;
    return { diverged: error.message };
  } finally {
    if (training.output.isTTY) training.output.write('\r\x1b[2K');
  }
}

function inWords(result: RunResult): string {
  if ('diverged' in result) return result.diverged;
  const { evaluations, history } = result.report;
  const { last, best } = evaluations;
  const minutes = history.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  return (
    `test ${percent(last.test.accuracy)}, validation ${percent(last.validation.accuracy)} after epoch ${last.epoch}; ` +
    `best epoch ${best.epoch}: test ${percent(best.test.accuracy)}, validation ${percent(best.validation.accuracy)}; ` +
    `${minutes.toFixed(0)} min`
  );
}

function compare(training: TrainingContext, folds: readonly number[], results: ResultsFile): Comparison {
  const resultOf = (setting: Setting, validationFold: number): RunResult | undefined =>
    results.runs.get(jobOf(training, { title: '', setting, validationFold }).name);
  return {
    singles: singleRuns.map((run) => ({ ...run, result: resultOf(run.setting, singleValidationFold) })),
    crossValidations: crossValidatedRuns.map((run) =>
      compareFolds(
        run,
        folds.map((fold) => resultOf(run.setting, fold)),
      ),
    ),
  };
}

async function writePages(folder: string, comparison: Comparison): Promise<void> {
  await writeFileAtomically(join(folder, 'REPORT.md'), renderComparisonMarkdown(comparison));
  await writeFileAtomically(join(folder, 'REPORT.html'), renderComparisonPage(comparison));
}

/** Makes the run of the highest validation accuracy (ties: lower loss) a version, unless it is one. */
async function publishBest(
  jobs: readonly Job[],
  results: ResultsFile,
  context: CommandContext,
): Promise<void> {
  const finished = jobs.flatMap((job) => {
    const report = reportOf(results.runs.get(job.name));
    return report === undefined ? [] : [{ job, validation: report.evaluations.best.validation }];
  });
  finished.sort(
    (a, b) => b.validation.accuracy - a.validation.accuracy || a.validation.loss - b.validation.loss,
  );
  const best = finished[0]?.job;
  if (best === undefined) return;
  const registry = openRegistry(context.config.modelsFolder);
  const { versions } = await registry.list();
  if (versions.some(({ manifest }) => runName(settingsIn(manifest), manifest.data.fingerprint) === best.name))
    return;
  const store = await openRunStore(context.config.runsFolder, best.name);
  if ((await store.load()) === undefined) {
    context.output.write(
      `${best.title} is the best ${best.training.network.architecture}, but its weights are not in ${store.folder}.\n`,
    );
    return;
  }
  const networks = await trained(best, progressStream(context.output, ''));
  const version = await publishVersion(registry, networks, await versionFacts(best.training));
  context.output.write(`Published ${version.folder}: ${best.title}\n`);
}

/** The settings of the run that made a version's first member. */
function settingsIn({ members, recipe, hyperparameters, protocol, seed }: Manifest): RunSettings {
  return { network: members[0].network, recipe, hyperparameters, protocol, seed };
}
