import { createHash } from 'node:crypto';
import { gateSignal } from '../../../shared/signal/gate-signal';
import { levelOf } from '../../../shared/signal/level';
import type { WindowFormat } from '../../../shared/contracts/members';
import type { ValidationProfile } from '../../../shared/contracts/report';
import {
  confidenceBin,
  confidenceBins,
  countBins,
  levelBin,
  levelBins,
} from '../../../shared/decision/distribution';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { knownScores } from './calibrate';
import type { ClipAnswers } from '../optimise/predict';
import type { LabelledClip } from '../data/dataset';

/**
 * What validation clips got, in the compact form that a report keeps.
 * @param answers to each clip, from a network that was not trained on it
 */
export function referenceOf(
  clips: readonly LabelledClip[],
  answers: ClipAnswers,
  temperature: number | undefined,
  format: WindowFormat,
): ValidationProfile {
  const probabilities = answers.logits.map((rows) => meanProbabilities(rows, temperature));
  return describeAnswers(clips, { probabilities, scores: knownScores(answers, temperature) }, format);
}

/** @param answers each clip's probabilities, and how sure the answer is */
export function describeAnswers(
  clips: readonly LabelledClip[],
  {
    probabilities,
    scores,
  }: { readonly probabilities: readonly Float32Array[]; readonly scores: readonly number[] },
  format: WindowFormat,
): ValidationProfile {
  return {
    clips: clips.map(({ filename }) => createHash('sha256').update(filename).digest('hex').slice(0, 12)),
    labels: clips.map(({ label }) => label),
    answers: probabilities.map((row) => row.indexOf(Math.max(...row))),
    confidence: countBins(scores.map(confidenceBin), confidenceBins),
    levels: countBins(
      clips.map(({ samples }) => levelBin(levelOf(gateSignal(samples, format)).soundDecibels)),
      levelBins,
    ),
  };
}
