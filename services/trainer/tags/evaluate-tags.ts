import type { Evaluation } from '../../../shared/contracts/evaluation';
import type { WindowFormat } from '../../../shared/contracts/members';
import type { ServedReport, ValidationProfile } from '../../../shared/contracts/report';
import audioSetLabels from '../../../shared/encoder/audioset-labels.json';
import { evaluateClassifier } from '../../../shared/metrics/evaluate-classifier';
import { recordingsInterval, scoresByRecording } from '../../../shared/metrics/recordings-interval';
import { reliability } from '../../../shared/metrics/reliability';
import type { LabelledClip } from '../data/dataset';
import { describeAnswers } from '../evaluate/validation-profile';
import { recordingOf } from '../evaluate/served-figures';
import type { TaggedClip } from './choose-thresholds';

/** A clip whose category is one of AudioSet's classes. */
export interface NamedClip extends TaggedClip {
  readonly clip: LabelledClip;
}

/**
 * What AudioSet's classes are worth on clips that are named as some of them. First guess: the likeliest
 * of the classes that clips are named as. As answered: the clip's class is heard, at the thresholds that
 * were chosen on these very clips.
 */
export function evaluateTags(
  clips: readonly NamedClip[],
  thresholds: readonly number[],
  format: WindowFormat,
): { readonly validation: Evaluation; readonly served: ServedReport; readonly reference: ValidationProfile } {
  const named = [...new Set(clips.map(({ tag }) => tag))].sort((a, b) => a - b);
  const labels = clips.map(({ tag }) => named.indexOf(tag));
  const recordings = clips.map(({ clip }) => recordingOf(clip.filename));
  const probabilities = clips.map((clip) => Float32Array.from(named, (tag) => clip.probabilities[tag]!));
  const classes = named.map((tag) => audioSetLabels[tag]!.label);
  const validation = evaluateClassifier({ labels, probabilities, classes, recordings });
  const answered = clips.map((clip) => clip.probabilities[clip.tag]! >= thresholds[clip.tag]!);
  const passed = clips.filter((clip) => thresholds.some((least, tag) => clip.probabilities[tag]! >= least));
  return {
    validation,
    served: {
      validation: {
        clips: clips.length,
        recordings: new Set(recordings).size,
        correct: validation.correct,
        accuracyInterval: validation.accuracyInterval,
        answered: answered.filter(Boolean).length,
        answeredInterval: recordingsInterval(scoresByRecording(recordings, answered)),
        passed: passed.length,
        expectedCalibrationError: reliability(labels, probabilities).expectedCalibrationError,
      },
    },
    reference: describeAnswers(
      clips.map(({ clip, tag }) => ({ ...clip, label: tag })),
      {
        probabilities: clips.map((clip) => clip.probabilities),
        scores: clips.map((clip) => Math.max(...clip.probabilities)),
      },
      format,
    ),
  };
}
