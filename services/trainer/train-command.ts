import { join } from 'node:path';
import type { FoldResult } from '../../shared/contracts/report';
import { describeEngine } from '../../shared/engine/load-engine';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { openRegistry, type Version } from '../../shared/registry/registry';
import { writeFileAtomically } from '../../shared/registry/write-atomically';
import type { TrainCommand } from './command-line';
import { evaluateEnsemble, type FoldRun } from './evaluate-ensemble';
import { evaluateRun } from './evaluate-run';
import { crossValidationLines, evaluationLines, foldResult } from './fold-figures';
import { foldsOf, splitFolds } from './folds';
import { meanHistory } from './mean-history';
import { networksOf, publishVersion, type PublishedNetworks } from './publish-version';
import { trainFold } from './train-fold';
import {
  evaluationOptions,
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
  const { run, folder } = await trainFold(workshop, split);
  const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
  say(workshop, evaluationLines(evaluation));
  const version = await publish(workshop, networksOf(run, evaluation));
  say(workshop, `Curves and state in ${folder}`);
  return version;
}

/**
 * Every fold but the test fold validates in turn. The report's networks are only compared; networks of the other recipe
 * are published together, as one version, and only that version sees the test fold.
 */
async function crossValidate(workshop: Workshop): Promise<Version[]> {
  const { command, config, dataset, hyperparameters } = workshop;
  const testFold = command['test-fold'];
  const together = hyperparameters.optimizer === 'adamw';
  const folds = foldsOf(dataset.clips).filter((fold) => fold !== testFold);
  const results: FoldResult[] = [];
  const runs: FoldRun[] = [];
  for (const validationFold of folds) {
    const split = splitFolds(dataset, { testFold, validationFold }, together || command.blind);
    const { run } = await trainFold(workshop, split);
    const evaluation = evaluateRun(run, split, evaluationOptions(workshop));
    results.push(foldResult({ ...split.protocol, validationFold }, evaluation));
    runs.push({ run, split });
    say(workshop, evaluationLines(evaluation));
  }
  const summary = summariseFolds(testFold, results);
  const name = `cross-validation-${command.architecture}-t${testFold ?? 'none'}-s${command.seed}.json`;
  const file = join(config.runsFolder, name);
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  say(workshop, `${crossValidationLines(summary)}\nWritten to ${file}`);
  if (!together || testFold === null) return [];
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
    crossValidation: summary,
  });
  return [version];
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
