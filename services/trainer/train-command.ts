import { join } from 'node:path';
import type { CrossValidation, FoldResult } from '../../shared/contracts/report';
import { describeEngine } from '../../shared/engine/load-engine';
import { summariseFolds } from '../../shared/metrics/summarise-folds';
import { openRegistry } from '../../shared/registry/registry';
import { writeFileAtomically } from '../../shared/registry/write-atomically';
import { networkOf, type TrainCommand } from './command-line';
import type { RunEvaluation } from './evaluate-run';
import { foldResult } from './fold-result';
import { splitFolds } from './folds';
import { publishVersion } from './publish-version';
import type { TrainedRun } from './train';
import { openWorkshop, trainFold, versionFacts, type CommandContext, type Workshop } from './workshop';

/** `npm run train`: data, engine, one run or one a validation fold, reports and a published version. */
export async function trainCommand(command: TrainCommand, context: CommandContext): Promise<void> {
  const network = networkOf(command);
  const workshop = await openWorkshop(command, context);
  const { dataset, engine } = workshop;
  say(
    context,
    `${dataset.clips.length} clips of ${dataset.classes.length} classes; engine ${describeEngine(engine, network)}`,
  );
  const validationFolds = command['cross-validate']
    ? [...new Set(dataset.clips.map(({ fold }) => fold))]
        .filter((fold) => fold !== command['test-fold'])
        .sort()
    : [command['validation-fold']];

  const results: FoldResult[] = [];
  for (const validationFold of validationFolds) {
    const split = splitFolds(dataset, { testFold: command['test-fold'], validationFold });
    const { run, evaluation, folder } = await trainFold(workshop, network, split);
    results.push(foldResult(split.protocol, evaluation));
    say(context, foldLines(evaluation));
    if (!command['cross-validate']) await publish(workshop, run, evaluation, folder);
  }
  if (command['cross-validate']) await reportCrossValidation(workshop, network.architecture, results);
}

function foldLines({ best, last }: RunEvaluation): string {
  const line = (name: string, { epoch, validation, test }: RunEvaluation['best']): string => {
    const { lower, upper } = test.accuracyInterval;
    return (
      `${name} epoch (${epoch}): test accuracy ${percent(test.accuracy)} (95 % interval ${percent(lower)} to ` +
      `${percent(upper)}), test macro F1 ${test.macro.f1.toFixed(3)}, validation accuracy ${percent(validation.accuracy)}`
    );
  };
  return `${line('best-validation', best)}\n${line('last', last)}`;
}

async function publish(
  workshop: Workshop,
  run: TrainedRun,
  evaluation: RunEvaluation,
  folder: string,
): Promise<void> {
  const { config, output } = workshop;
  const facts = await versionFacts(workshop);
  const version = await publishVersion(openRegistry(config.modelsFolder), run, evaluation, facts);
  output.write(`Published ${version.folder} (report.html inside); curves and state in ${folder}\n`);
}

async function reportCrossValidation(
  { command, config, output }: Workshop,
  architecture: string,
  folds: readonly FoldResult[],
): Promise<void> {
  const summary: CrossValidation = summariseFolds(command['test-fold'], folds);
  const file = join(config.runsFolder, `cross-validation-${architecture}-s${command.seed}.json`);
  await writeFileAtomically(file, `${JSON.stringify(summary, null, 2)}\n`);
  const spread = ({ mean, standardDeviation }: CrossValidation['best']['testAccuracy']): string =>
    `${percent(mean)} ± ${percent(standardDeviation ?? 0)}`;
  for (const which of ['best', 'last'] as const) {
    const { validationAccuracy, testAccuracy } = summary[which];
    const label = which === 'best' ? 'best-validation epochs' : 'last epochs';
    say(
      { output },
      `${label}, mean ± standard deviation over ${folds.length} folds: validation ${spread(validationAccuracy)}, test ${spread(testAccuracy)}`,
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
