import { isMultiLabel } from '../../contracts/members';
import type { Manifest } from '../../contracts/manifest';
import { independentProbabilities } from '../../decision/independent-probabilities';
import { meanProbabilities } from '../../decision/mean-probabilities';
import { classLogits, evidenceOf, tagProbabilities } from '../../decision/rejection';
import type { InferenceResult } from './inference';
import type { WindowLogits } from './window-scorer';

/** What a version says of windows, from the logits of its members or of some of them. */
export function windowScores(
  rows: WindowLogits,
  manifest: Pick<Manifest, 'classes' | 'calibration' | 'members'>,
): Omit<InferenceResult, 'inferenceMs'> {
  const classes = manifest.classes.length;
  const evidence = rows.map((ofWindow) => evidenceOf(ofWindow, classes));
  const tags = rows.map((ofWindow) => tagProbabilities(ofWindow, classes));
  if (isMultiLabel(manifest)) {
    const probabilities = rows.map(independentProbabilities);
    return { probabilities, tags: probabilities };
  }
  return {
    probabilities: rows.map((ofWindow) =>
      meanProbabilities(
        ofWindow.map((row) => classLogits(row, classes)),
        manifest.calibration?.temperature,
      ),
    ),
    ...(evidence.every((value) => value !== undefined) ? { evidence } : {}),
    ...(tags.every((value) => value !== undefined) ? { tags } : {}),
  };
}
