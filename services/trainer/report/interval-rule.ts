import { servedEvaluation, type Report } from '../../../shared/contracts/report';

/** How the intervals of a report were made: one of before the recordings were told apart has Wilson's. */
export function intervalRule({ evaluations }: Pick<Report, 'evaluations'>): string {
  const { test, validation } = servedEvaluation({ evaluations });
  const recordings = [test, validation].flatMap((evaluation) => evaluation?.recordings ?? []);
  return recordings.length === 0
    ? 'Intervals are Wilson’s at 95 %, over clips.'
    : 'Intervals are at 95 %, of a bootstrap over recordings, whose clips are right and wrong together.';
}
