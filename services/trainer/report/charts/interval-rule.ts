import type { Evaluation } from '../../../../shared/contracts/evaluation';

/**
 * How the intervals of evaluations were made: those of before the recordings were told apart are
 * Wilson's.
 */
export function intervalRule(evaluations: readonly Evaluation[]): string {
  const grouped = evaluations.filter(({ recordings }) => recordings !== undefined).length;
  if (grouped === 0) return 'Intervals are Wilson’s at 95 %, over clips.';
  const bootstrap =
    'Intervals are at 95 %, of a bootstrap over recordings, whose clips are right and wrong together';
  return grouped === evaluations.length
    ? `${bootstrap}.`
    : `${bootstrap}; those of ${evaluations.length - grouped} older of ${evaluations.length} evaluations are Wilson’s, over clips, and too narrow.`;
}
