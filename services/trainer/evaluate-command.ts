import { join } from 'node:path';
import { writeFileAtomically } from '../../shared/runtime/write-atomically';
import { reportFileName, readReport } from '../../shared/registry/report-file';
import { manifestFileName, openRegistry, type Version } from '../../shared/registry/registry';
import type { ServedFigures, ServedReport } from '../../shared/contracts/report';
import { findSmallEncoder, smallEncoderFile } from '../../shared/compute/provide/encoder-file';
import { encoderOf } from '../../shared/contracts/members';
import { AppError } from '../../shared/errors/app-error';
import { foldedBySource } from './data/folds';
import { parseTrainingRequest } from './options/command-line';
import { answersOf, examplesOf, type MemberScorer } from './optimise/predict';
import { answeredShares } from './evaluate/publish-version';
import { interval, percent } from './report/markup/format';
import { renderReportHtml } from './report/render-report-html';
import { judgedClips, servedReport, type JudgedClips } from './evaluate/served-figures';
import { loadScorers } from './evaluate/load-scorers';
import { isOfTimelines } from './options/timeline-options';
import { timelinesCommand } from './timelines/timelines-command';
import { openTrainingContext, type CommandContext, type TrainingContext } from './context/training-context';

/**
 * `npm run evaluate -- VERSION`: judges a published version's own networks anew, from its weights and
 * the recordings it was trained on, and writes the figures into its report and manifest.
 * With timelines, its stream's events are judged instead.
 * @throws AppError not-found, invalid-checkpoint; invalid-dataset when the recordings are not those it
 *   was trained on
 */
export async function evaluateCommand(args: readonly string[], context: CommandContext): Promise<void> {
  if (isOfTimelines(args)) {
    await timelinesCommand(args, context);
    return;
  }
  const [name = '', ...options] = args;
  const version = await openRegistry(context.config.modelsFolder).read(name);
  const { members, recipe, frontEnds } = version.manifest;
  const encoder = encoderOf(frontEnds)?.encoder;
  const request = {
    ...parseTrainingRequest(options, members[0].network.architecture),
    recipe,
    ...(encoder?.name === 'small' && {
      encoder: await pathOfSmallEncoder(encoder.sha256, context.config.modelsFolder),
    }),
  };
  const training = await openTrainingContext(request, context);
  const served = await judgeVersion(version, training);
  await keep(version, served);
  context.output.write(`${linesOf(served)}\n`);
}

/** Where it is, or where it should be. */
async function pathOfSmallEncoder(sha256: string, modelsFolder: string): Promise<string> {
  return (await findSmallEncoder(sha256, modelsFolder)) ?? smallEncoderFile(modelsFolder, sha256);
}

async function judgeVersion(version: Version, { dataset, engine }: TrainingContext): Promise<ServedReport> {
  const { manifest } = version;
  const { frontEnds, classes, calibration, protocol } = manifest;
  if (classes.join() !== dataset.classes.join()) {
    throw new AppError(
      'invalid-dataset',
      `${manifest.version} was trained on other classes than these data have.`,
    );
  }
  const members = await loadScorers(version, engine);
  const { clips: all } = protocol.leaveOneSourceOut ? foldedBySource(dataset, protocol.testFold) : dataset;
  const judge = (judges: readonly MemberScorer[], fold: number): JudgedClips => {
    const clips = all.filter((clip) => clip.fold === fold);
    return judgedClips(clips, answersOf(judges, examplesOf(clips, frontEnds, engine), classes.length));
  };
  const { validationFold, testFold, trainFolds } = protocol;
  const perFold = members.length / trainFolds.length;
  try {
    const folds =
      validationFold === null
        ? trainFolds.map((fold, index) => judge(members.slice(index * perFold, (index + 1) * perFold), fold))
        : [judge(members, validationFold)];
    const test = testFold === null ? undefined : judge(members, testFold);
    return servedReport(folds, test, calibration);
  } finally {
    for (const { scorer } of members) scorer.dispose();
  }
}

async function keep({ folder, manifest }: Version, served: ServedReport): Promise<void> {
  const report = await readReport(folder);
  if (report === undefined) throw new AppError('invalid-checkpoint', `${folder} has no report.`);
  const whole = { ...report, served };
  const metrics = { ...manifest.metrics, ...answeredShares(served) };
  await writeFileAtomically(join(folder, reportFileName), `${JSON.stringify(whole, null, 2)}\n`);
  await writeFileAtomically(join(folder, 'report.html'), renderReportHtml(whole));
  await writeFileAtomically(
    join(folder, manifestFileName),
    `${JSON.stringify({ ...manifest, metrics }, null, 2)}\n`,
  );
}

/** Both folds' figures, and their row in models/README.md. */
function linesOf({ validation, test }: ServedReport): string {
  const line = (name: string, figures: ServedFigures): string => {
    const { clips, recordings, passed, expectedCalibrationError } = figures;
    const { first, answered } = sharesOf(figures);
    return [
      `${name}, ${clips} clips of ${recordings} recordings:`,
      `  first guess right   ${first}`,
      `  right as answered   ${answered}`,
      `  not called unknown  ${percent(passed / clips)}`,
      `  calibration error   ${percent(expectedCalibrationError)}`,
    ].join('\n');
  };
  const figures = [validation, ...(test === undefined ? [] : [test])];
  return [
    line('validation', validation),
    ...(test === undefined ? [] : [line('test', test)]),
    `models/README.md: | ${figures.flatMap((of) => Object.values(sharesOf(of))).join(' | ')} |`,
  ].join('\n');
}

function sharesOf(figures: ServedFigures): { readonly first: string; readonly answered: string } {
  const { clips, correct, accuracyInterval, answered, answeredInterval } = figures;
  return {
    first: `${percent(correct / clips)} (${interval(accuracyInterval)})`,
    answered: `${percent(answered / clips)} (${interval(answeredInterval)})`,
  };
}
