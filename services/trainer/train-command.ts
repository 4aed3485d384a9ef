import { join } from 'node:path';
import type { CrossValidation, FoldResult } from '../../shared/contracts/report';
import { describeEngine } from '../../shared/engine/load-engine';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { openRegistry, type Version } from '../../shared/registry/registry';
import { writeFileAtomically } from '../../shared/registry/write-atomically';
import type { TrainCommand } from './command-line';
import { evaluateEnsemble } from './evaluate-ensemble';
import { evaluateRun } from './evaluate-run';
import { crossValidationLines, evaluationLines, foldResult, seedLines } from './fold-figures';
import { foldsOf, splitFolds, type FoldSplit } from './folds';
import { meanHistory } from './mean-history';
import { networksOf, publishVersion, type PublishedNetworks } from './publish-version';
import type { TrainedRun } from './train';
import { trainFold } from './train-fold';
import { withFamiliarity } from './unknown/with-familiarity';
import {
  evaluationOptions,
  familiarityOptions,
  openWorkshop,
  versionFacts,
  type CommandContext,
  type Workshop,
} from './workshop';

/**
 * `npm run train`: data, engine, one run or one a validation fold, reports and a published version.
 * @returns what was published: nothing where networks were only compared
 */
export async function trainCommand(command: TrainCommand, context: CommandContext): Promise<Version[]> {
  const workshop = await openWorkshop(command, context);
  const { dataset, engine, network } = workshop;
  const described = describeEngine(engine, network);
  say(context, `${dataset.clips.length} clips of ${dataset.classes.length} classes; engine ${described}`);
  if (dataset.foldsMade)
    say(context, 'The CSV has no column fold: clips were spread over folds, source by source');
  return command['cross-validate'] ? crossValidate(workshop) : [await trainOne(workshop)];
}

async function trainOne(workshop: Workshop): Promise<Version> {
  const { command, dataset } = workshop;
  const folds = { testFold: command['test-fold'], validationFold: command['validation-fold'] };
  const split = splitFolds(dataset, folds, command.blind);
  const { run: trained, folder } = await trainFold(workshop, split);
  const run = await withFamiliarity(trained, split, familiarityOptions(workshop));
  const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
  say(workshop, evaluationLines(evaluation));
  const version = await publish(workshop, networksOf(run, evaluation));
  say(workshop, `Curves and state in ${folder}`);
  return version;
}

/**
 * Every fold but the test fold validates in turn. The report's networks are only compared; networks of the other recipe
 * are published together, as one version, and only that version sees the test fold. Of several seeds the networks with the
 * highest mean validation accuracy are published; the others' show what averaging does.
 */
async function crossValidate(workshop: Workshop): Promise<Version[]> {
  const { command, dataset, hyperparameters } = workshop;
  const testFold = command['test-fold'];
  const together = hyperparameters.optimizer === 'adamw';
  const folds = foldsOf(dataset.clips).filter((fold) => fold !== testFold);
  const splits = folds.map((validationFold) =>
    splitFolds(dataset, { testFold, validationFold }, together || command.blind),
  );
  const seeds = Array.from({ length: command.seeds }, (_, index) => command.seed + index);
  const bySeed: TrainedRun[][] = [];
  const summaries: CrossValidation[] = [];
  for (const seed of seeds) {
    const { runs, results } = await trainFolds({ ...workshop, command: { ...command, seed } }, splits);
    bySeed.push(runs);
    summaries.push(await keepSummary(workshop, seed, summariseFolds(testFold, results)));
  }
  if (seeds.length > 1) say(workshop, seedLines(summaries));
  if (!together || testFold === null) return [];
  const means = summaries.map(({ last }) => last.validationAccuracy.mean);
  const chosen = means.indexOf(Math.max(...means));
  const runs = splits.map((split, fold) => ({
    ...{ split, run: bySeed[chosen]![fold]! },
    peers: bySeed.filter((_, seed) => seed !== chosen).map((ofSeed) => ofSeed[fold]!),
  }));
  const test = command.blind ? [] : dataset.clips.filter(({ fold }) => fold === testFold);
  const evaluation = evaluateEnsemble(runs, test, evaluationOptions(workshop));
  say(workshop, `${runs.length} networks together:\n${evaluationLines(evaluation)}`);
  const { network, progress } = runs[0]!.run;
  const version = await publish(workshop, {
    network,
    members: runs.length,
    settings: { ...progress.settings, protocol: { testFold, validationFold: null, trainFolds: folds } },
    engine: progress.engine,
    history: meanHistory(runs.map(({ run }) => run.progress.history)),
    evaluation,
    crossValidation: summaries[chosen]!,
  });
  return [version];
}

/** One run a split, all of one seed. */
async function trainFolds(
  workshop: Workshop,
  splits: readonly FoldSplit[],
): Promise<{ runs: TrainedRun[]; results: FoldResult[] }> {
  const runs: TrainedRun[] = [];
  const results: FoldResult[] = [];
  for (const split of splits) {
    const trained = await trainFold(workshop, split);
    const run = await withFamiliarity(trained.run, split, familiarityOptions(workshop));
    const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
    const { trainFolds: folds } = split.protocol;
    // Splits of a cross-validation have a validation fold each.
    results.push(
      foldResult({ validationFold: split.protocol.validationFold!, trainFolds: folds }, evaluation),
    );
    runs.push(run);
    say(workshop, evaluationLines(evaluation));
  }
  return { runs, results };
}

async function keepSummary(
  workshop: Workshop,
  seed: number,
  summary: CrossValidation,
): Promise<CrossValidation> {
  const { config, command } = workshop;
  const name = `cross-validation-${command.architecture}-t${command['test-fold'] ?? 'none'}-s${seed}.json`;
  const file = join(config.runsFolder, name);
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  say(workshop, `${crossValidationLines(summary)}\nWritten to ${file}`);
  return summary;
}

async function publish(workshop: Workshop, networks: PublishedNetworks): Promise<Version> {
  const { fence, config } = workshop;
  await fence?.assertMine();
  const registry = openRegistry(config.modelsFolder, fence);
  const version = await publishVersion(registry, networks, await versionFacts(workshop));
  say(workshop, `Published ${version.folder} (report.html inside)`);
  return version;
}

function say({ output }: Pick<CommandContext, 'output'>, text: string): void {
  output.write(`${text}\n`);
}
