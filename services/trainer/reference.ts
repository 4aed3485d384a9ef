import { createHash } from 'node:crypto';
import { levelOf } from '../../shared/audio/level';
import type { Reference } from '../../shared/contracts/report';
import {
  confidenceBin,
  confidenceBins,
  countBins,
  levelBin,
  levelBins,
} from '../../shared/decision/distribution';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import type { ClipAnswers } from './predict';
import type { LabelledClip } from './dataset';

/**
 * What validation clips got, in the compact form that a report keeps.
 * @param logits of each clip, from a network that was not trained on it
 */
export function referenceOf(
  clips: readonly LabelledClip[],
  logits: ClipAnswers['logits'],
  temperature: number | undefined,
): Reference {
  const probabilities = logits.map((rows) => meanProbabilities(rows, temperature));
  const highest = probabilities.map((row) => Math.max(...row));
  return {
    clips: clips.map(({ filename }) => createHash('sha256').update(filename).digest('hex').slice(0, 12)),
    labels: clips.map(({ label }) => label),
    answers: probabilities.map((row, clip) => row.indexOf(highest[clip]!)),
    confidence: countBins(highest.map(confidenceBin), confidenceBins),
    levels: countBins(
      clips.map(({ samples }) => levelBin(levelOf(samples).soundDecibels)),
      levelBins,
    ),
  };
}
