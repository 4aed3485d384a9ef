import type { JobProgress, JobResult } from '../../../shared/contracts/job';
import type { RunMessage, RunOrder } from '../../../shared/jobs/run-messages';
import type { TrainingJobRequest } from '../../../shared/contracts/training-job';
import { foldsOf, splitFolds } from '../data/folds';
import { evaluateFold } from '../evaluate/evaluate-version';
import { readDatasetCsv } from '../../../shared/datasets/dataset-csv';
import { recipeFor } from '../recipes/recipes';
import { adviceOn } from '../report/advice';
import { trainCommand } from '../train/train-command';
import { trainFold } from '../train/train-fold';
import {
  evaluationOptions,
  openTrainingContext,
  type CommandContext,
  type FoldProgress,
} from '../context/training-context';
import { bestCombination, combinationsOf, planRuns } from './plan-runs';
import { promoteResult } from './promote-result';
import { trainingRequestOf } from './training-request-of';
import type { JobRunner, RunJobContext } from './job-runner';

/**
 * Trains what the job asks for. A job of several runs is planned first, and published after the last of
 * them.
 */
export const trainingRunner: JobRunner<TrainingJobRequest> = { run: runTraining };

async function runTraining(
  request: TrainingJobRequest,
  { job, children }: RunOrder,
  context: RunJobContext,
): Promise<RunMessage> {
  const { onProgress, ...command } = context;
  const training: CommandContext = {
    ...command,
    onEpoch: (progress) => {
      onProgress(inAll(progress));
    },
  };
  if (job.parent !== undefined) return { type: 'finished', result: await trainRun(request, training) };
  if (!isParent(request)) {
    return { type: 'finished', result: await publishRuns(request, [], job.id, training) };
  }
  if (children.length === 0) return { type: 'planned', runs: plan(request, training) };
  const runs = children.flatMap((child) => child.result?.runs ?? []);
  const best = bestCombination(
    request,
    runs.map(({ validationAccuracy }) => validationAccuracy),
  );
  return { type: 'finished', result: await publishRuns(best, runs, job.id, training) };
}

/**
 * Whether the job consists of runs. Heads of all folds are fitted in one run: that takes less than to
 * start a process for each.
 */
function isParent(request: TrainingJobRequest): boolean {
  const ofFolds = request.protocol.crossValidate && recipeFor(request.architecture).kind !== 'fitted';
  return ofFolds || combinationsOf(request).length > 1;
}

function plan(request: TrainingJobRequest, { config }: CommandContext): TrainingJobRequest[] {
  const { data, esc10Only } = trainingRequestOf({ ...request, hyperparameters: {} }, config);
  const { rows } = readDatasetCsv(data ?? config.dataFolder, { esc10Only });
  return planRuns(request, foldsOf(rows));
}

/**
 * One run of several: judged on validation data only, and published by nobody but the parent's last
 * step.
 */
async function trainRun(request: TrainingJobRequest, context: CommandContext): Promise<JobResult> {
  const training = await openTrainingContext(trainingRequestOf(request, context.config), context);
  const split = splitFolds(training.dataset, request.protocol, true);
  const evaluation = evaluateFold(await trainFold(training, split), split, evaluationOptions(training));
  // The figure of what would be published: the last epoch where networks are published together, the
  // best where one is.
  const together = training.recipe.publish === 'together';
  const { validation } = together ? evaluation.last : (evaluation.best ?? evaluation.last);
  const { sha256 } = evaluation.encoded;
  return {
    versions: [],
    runs: [{ name: runTitle(request), validationAccuracy: validation.accuracy, sha256 }],
  };
}

/** Runs (or finds finished) what the request says, publishes and, where asked for, promotes it. */
async function publishRuns(
  request: TrainingJobRequest,
  runs: JobResult['runs'],
  id: string,
  context: CommandContext,
): Promise<JobResult> {
  const published = await trainCommand(trainingRequestOf(request, context.config), context);
  const own = published.map(({ manifest }) => ({
    name: manifest.version,
    validationAccuracy: manifest.metrics.validationAccuracy,
    ...(manifest.metrics.testAccuracy === undefined ? {} : { testAccuracy: manifest.metrics.testAccuracy }),
    sha256: manifest.weights.sha256,
  }));
  const versions = published.map(({ manifest }) => manifest.version);
  const [made] = published;
  const advice = made === undefined ? [] : await adviceOn(made);
  const result = { versions, runs: [...runs, ...own], ...(advice.length === 0 ? {} : { advice }) };
  const [version] = versions;
  if (request.promote === 'never' || version === undefined) return result;
  return { ...result, promotion: await promoteResult(version, id, context) };
}

function runTitle({ architecture, hyperparameters, protocol, seed }: TrainingJobRequest): string {
  const values = Object.entries(hyperparameters).map(([name, value]) => `${name} ${String(value)}`);
  return [architecture, ...values, `validation fold ${protocol.validationFold}`, `seed ${seed}`].join(', ');
}

/** The epochs of all networks in turn. */
function inAll({ history, epochs, networkIndex, networks }: FoldProgress): JobProgress {
  const latest = history.at(-1)!;
  const all = networks * epochs;
  const done = networkIndex * epochs + latest.epoch;
  const seconds = history.reduce((sum, epoch) => sum + epoch.seconds, 0) / history.length;
  return { epoch: done, epochs: all, latest, secondsLeft: seconds * (all - done) };
}
