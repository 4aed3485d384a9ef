import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Protocol } from '../../../shared/contracts/manifest';
import { encoderOf } from '../../../shared/contracts/members';
import type { CrossValidation, FoldResult } from '../../../shared/contracts/report';
import type { TrainingRequest } from '../../../shared/contracts/training-request';
import { describeEngine } from '../../../shared/compute/provide/load-engine';
import { summariseFolds } from '../../../shared/metrics/summarise-folds';
import { openRegistry, type Version } from '../../../shared/registry/registry';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';
import { evaluateFold, evaluateVersion } from '../evaluate/evaluate-version';
import { membersOf, type FoldNetworks } from '../evaluate/evaluation';
import {
  crossValidationLines,
  evaluationLines,
  foldResult,
  learningLines,
  seedLines,
} from '../evaluate/fold-figures';
import type { LabelledClip } from '../data/dataset';
import { clipFeatures, type ClipFeatures } from '../heads/clip-features';
import { learningPoints } from '../heads/learning-curve';
import { withOnePenalty } from '../heads/with-one-penalty';
import { type FoldSplit, foldedBySource, foldsOf, hasFewSources, splitFolds } from '../data/folds';
import { trainHeads } from '../heads/train-heads';
import { networksOf, publishVersion, type PublishedNetworks } from '../evaluate/publish-version';
import { adviceOn } from '../report/advice';
import type { TrainedRun } from '../optimise/train';
import { trainFold } from './train-fold';
import {
  evaluationOptions,
  openTrainingContext,
  versionFacts,
  type CommandContext,
  type FittedTraining,
  type TrainingContext,
} from '../context/training-context';

/**
 * `npm run train`: data, engine, one run or one a validation fold, reports and a published version.
 * @returns what was published: nothing where networks were only compared
 */
export async function trainCommand(request: TrainingRequest, context: CommandContext): Promise<Version[]> {
  const training = await openTrainingContext(request, context);
  const { dataset, engine, network } = training;
  const described = describeEngine(engine, network);
  say(context, `${dataset.clips.length} clips of ${dataset.classes.length} classes; engine ${described}`);
  if (dataset.foldsMade)
    say(context, 'The CSV has no column fold: clips were spread over folds, source by source');
  for (const warning of dataset.warnings) say(context, `Warning: ${warning}`);
  return request.protocol.crossValidate ? crossValidate(training) : [await trainOne(training)];
}

async function trainOne(training: TrainingContext): Promise<Version> {
  const { request, dataset } = training;
  const { protocol } = request;
  const split = splitFolds(dataset, protocol, protocol.blind);
  const networks = await trainFold(training, split);
  const version = await publish(training, [{ split, networks, peers: [] }], split.test, split.protocol);
  const folders = networks.flatMap(({ folder }) => folder ?? []);
  if (folders.length > 0) say(training, `Curves and state in ${folders.join(', ')}`);
  return version;
}

/**
 * Every fold but the test fold validates in turn. Where the recipe publishes together, the networks
 * become one version, and only that version sees the test fold; else they are only compared. Of several
 * seeds the networks with the highest mean validation accuracy are published; the others' show what
 * averaging does.
 */
async function crossValidate(training: TrainingContext): Promise<Version[]> {
  const { request, dataset, recipe } = training;
  const { testFold, blind } = request.protocol;
  if (recipe.kind === 'fitted' && hasFewSources(dataset)) {
    const bySource = foldedBySource(dataset, testFold);
    return [await leaveOneSourceOut({ ...training, recipe, dataset: bySource })];
  }
  const together = recipe.publish === 'together';
  const folds = foldsOf(dataset.clips).filter((fold) => fold !== testFold);
  const splits = folds.map((validationFold) =>
    splitFolds(dataset, { testFold, validationFold }, together || blind),
  );
  const seeds = Array.from({ length: request.protocol.seeds }, (_, index) => request.seed + index);
  /** The networks of each seed, fold by fold. */
  const networks: (readonly TrainedRun[])[][] = [];
  const summaries: CrossValidation[] = [];
  for (const seed of seeds) {
    const { trained, results } = await trainFolds({ ...training, request: { ...request, seed } }, splits);
    networks.push(trained);
    summaries.push(await keepSummary(training, seed, summariseFolds(testFold, results)));
  }
  if (seeds.length > 1) say(training, seedLines(summaries));
  // Heads are of few recordings often, of which none is left to test on.
  if (!together || (testFold === null && recipe.kind !== 'fitted')) return [];
  const means = summaries.map(({ last }) => last.validationAccuracy.mean);
  const chosen = means.indexOf(Math.max(...means));
  const best = networks[chosen]!;
  const published = recipe.kind === 'fitted' ? withOnePenalty({ ...training, recipe }, splits, best) : best;
  const ofFolds = splits.map((split, fold) => ({
    split,
    networks: published[fold]!,
    peers: networks.filter((_, seed) => seed !== chosen).flatMap((ofSeed) => ofSeed[fold]!),
  }));
  const test = blind ? [] : dataset.clips.filter(({ fold }) => fold === testFold);
  const protocol = { testFold, validationFold: null, trainFolds: folds };
  return [await publish(training, ofFolds, test, protocol, summaries[chosen])];
}

/**
 * A head for each source, fitted to all others, where there are too few recordings for folds. All have
 * one penalty, chosen on the same clips.
 * @param training whose dataset has a fold for each source
 */
async function leaveOneSourceOut(training: FittedTraining): Promise<Version> {
  const { request, dataset } = training;
  const { testFold, blind } = request.protocol;
  const folds = foldsOf(dataset.clips).filter((fold) => fold !== testFold);
  const splits = folds.map((validationFold) => splitFolds(dataset, { testFold, validationFold }, true));
  say(
    training,
    `A class has too few recordings for folds: ${folds.length} heads, each fitted without one source`,
  );
  const runs = trainHeads(training, splits);
  const ofFolds = splits.map((split, index) => ({ split, networks: [runs[index]!], peers: [] }));
  const test = blind ? [] : dataset.clips.filter(({ fold }) => fold === testFold);
  const protocol = { testFold, validationFold: null, trainFolds: folds, leaveOneSourceOut: true as const };
  return publish(training, ofFolds, test, protocol);
}

/** One or several networks as one version. */
async function publish(
  training: TrainingContext,
  folds: readonly FoldNetworks[],
  test: readonly LabelledClip[],
  protocol: Protocol,
  crossValidation?: CrossValidation,
): Promise<Version> {
  const { fence, config } = training;
  const evaluation = evaluateVersion(folds, test, evaluationOptions(training));
  const networks = networksOf(folds, evaluation);
  const together = networks.members.length === 1 ? '' : `${networks.members.length} networks together:\n`;
  say(training, `${together}${evaluationLines(evaluation)}`);
  const published: PublishedNetworks = {
    ...networks,
    settings: { ...networks.settings, protocol },
    ...(crossValidation === undefined ? {} : { crossValidation }),
    ...drawLearningCurve(training, folds, test),
  };
  await fence?.assertMine();
  const registry = openRegistry(config.modelsFolder, fence);
  const version = await publishVersion(registry, published, await versionFacts(training));
  for (const sentence of await adviceOn(version)) say(training, sentence);
  say(training, `Published ${version.folder} (report.html inside)`);
  return version;
}

/** Draws the learning curve of heads, which are fitted in a moment; other networks have none. */
function drawLearningCurve(
  training: TrainingContext,
  folds: readonly FoldNetworks[],
  test: readonly LabelledClip[],
): Pick<PublishedNetworks, 'learningCurve'> {
  const { frontEnds, engine, dataset, request } = training;
  const frontEnd = encoderOf(frontEnds);
  const { hyperparameters } = membersOf(folds)[0].progress.settings;
  if (!('penalty' in hyperparameters) || frontEnd === undefined) return {};
  const hear = (clips: readonly LabelledClip[]): ClipFeatures[] => clipFeatures(clips, frontEnd, engine);
  const { penalty } = hyperparameters;
  const options = { classes: dataset.classes.length, penalty, seed: request.seed };
  const splits = folds.map(({ split }) => ({
    training: hear(split.train),
    judged: hear(split.validation),
  }));
  const others = [...new Set(folds.flatMap(({ split }) => [...split.train, ...split.validation]))];
  const validation = learningPoints({ ...options, splits });
  const tested = test.length > 0 && [{ training: hear(others), judged: hear(test) }];
  const learnt = {
    validation,
    ...(tested && { test: learningPoints({ ...options, splits: tested }) }),
  };
  if (validation.length > 0) say(training, learningLines(learnt));
  return { learningCurve: learnt };
}

/** The networks of each split, all of one seed. */
async function trainFolds(
  training: TrainingContext,
  splits: readonly FoldSplit[],
): Promise<{ trained: (readonly TrainedRun[])[]; results: FoldResult[] }> {
  const trained: (readonly TrainedRun[])[] = [];
  const results: FoldResult[] = [];
  for (const split of splits) {
    const networks = await trainFold(training, split);
    const evaluation = evaluateFold(networks, split, evaluationOptions(training));
    const { trainFolds: folds } = split.protocol;
    // Splits of a cross-validation have a validation fold each.
    results.push(
      foldResult({ validationFold: split.protocol.validationFold!, trainFolds: folds }, evaluation),
    );
    trained.push(networks);
    say(training, evaluationLines(evaluation));
  }
  return { trained, results };
}

async function keepSummary(
  training: TrainingContext,
  seed: number,
  summary: CrossValidation,
): Promise<CrossValidation> {
  const { config, request } = training;
  const { architecture, protocol } = request;
  const name = `cross-validation-${architecture}-t${protocol.testFold ?? 'none'}-s${seed}.json`;
  const file = join(config.runsFolder, name);
  await mkdir(config.runsFolder, { recursive: true });
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  say(training, `${crossValidationLines(summary)}\nWritten to ${file}`);
  return summary;
}

function say({ output }: Pick<CommandContext, 'output'>, text: string): void {
  output.write(`${text}\n`);
}
