import { recordedKind } from '../../../shared/contracts/calibration';
import { servedEvaluation, type Report } from '../../../shared/contracts/report';
import type { Version } from '../../../shared/registry/registry';
import { readReport } from '../../../shared/registry/report-file';
import { percent } from './markup/format';

/** A class of which a larger share is missed needs more recordings. */
const tolerableMisses = 0.1;

const leaveOneSourceOutWords =
  'A class has too few recordings for folds, so each was judged by what all others taught (leave-one-source-out).';

/** The advice on a version, from its report. */
export async function adviceOn({ folder }: Pick<Version, 'folder'>): Promise<string[]> {
  const report = await readReport(folder);
  return report === undefined ? [] : adviceOf(report);
}

/**
 * What to expect of a version, and what would make it better: sentences for whoever brought the
 * recordings.
 */
export function adviceOf(report: Pick<Report, 'evaluations' | 'calibration' | 'configuration'>): string[] {
  const { correct, clips, accuracy, perClass, confusion } = servedEvaluation(report).validation;
  const others = report.calibration?.unknown.kinds.find(({ kind }) => kind === recordedKind);
  const classes = perClass.map(({ class: name }) => name);
  const missed = confusion
    .map((row, label) => ({ label, clips: total(row), missed: total(row) - row[label]! }))
    .filter((of) => of.missed > tolerableMisses * of.clips)
    .sort((a, b) => b.missed / b.clips - a.missed / a.clips)[0];
  const pairs = classes.flatMap((_, first) =>
    classes.slice(first + 1).map((__, offset) => {
      const second = first + 1 + offset;
      return { first, second, clips: confusion[first]![second]! + confusion[second]![first]! };
    }),
  );
  const confused = pairs.sort((a, b) => b.clips - a.clips)[0];
  return [
    ...(report.configuration.protocol.leaveOneSourceOut ? [leaveOneSourceOutWords] : []),
    `Of recordings that it was not trained on, ${correct} of ${clips} (${percent(accuracy)}) were heard right.`,
    ...(missed === undefined
      ? []
      : [
          `More recordings of ${classes[missed.label]!} would help most: ${missed.missed} of ${missed.clips} were taken for something else.`,
        ]),
    ...(confused === undefined || confused.clips === 0
      ? []
      : [
          `Most often confused are ${classes[confused.first]!} and ${classes[confused.second]!}: ${confused.clips} of their clips.`,
        ]),
    ...(others === undefined
      ? []
      : [`Of your own background ${percent(others.falseAcceptRate)} would be taken for a class.`]),
  ];
}

function total(row: readonly number[]): number {
  return row.reduce((sum, count) => sum + count, 0);
}
