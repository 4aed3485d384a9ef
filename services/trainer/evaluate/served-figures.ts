import type { Calibration } from '../../../shared/contracts/calibration';
import type { ServedFigures, ServedReport } from '../../../shared/contracts/report';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { recordingsInterval, scoresByRecording } from '../../../shared/metrics/recordings-interval';
import { reliability } from '../../../shared/metrics/reliability';
import { fitCalibration, knownScores } from './calibrate';
import type { LabelledClip } from '../data/dataset';
import { joinAnswers, type ClipAnswers } from '../optimise/predict';

/** Clips with what networks that were not trained on them answered. */
export interface JudgedClips {
  readonly labels: readonly number[];
  /** The recording that each clip is from. */
  readonly recordings: readonly string[];
  readonly answers: ClipAnswers;
}

/**
 * ESC-50's names: fold, source, take and target, as `1-17367-A-10.wav`. Takes of one source are one
 * recording.
 */
const esc50Name = /^\d+-(\d+)-[A-Z]\d*-\d+\.\w+$/;

/** The recording that a clip is from; a name of another kind is a recording of its own. */
export function recordingOf(filename: string): string {
  return esc50Name.exec(filename)?.[1] ?? filename;
}

export function judgedClips(
  clips: readonly Pick<LabelledClip, 'label' | 'filename'>[],
  answers: ClipAnswers,
): JudgedClips {
  return {
    labels: clips.map(({ label }) => label),
    recordings: clips.map(({ filename }) => recordingOf(filename)),
    answers,
  };
}

/** A single fold's clips are dealt into so many parts, recording by recording. */
const partsOfOneFold = 4;

/**
 * What a version is worth, on clips that fitted neither its networks nor the temperature and the
 * threshold that judge them.
 * @param folds the validation clips, fold by fold, judged by their own fold's networks
 * @param test judged by all networks
 * @param calibration as published; absent: probabilities are the softmax, and nothing is unknown
 */
export function servedReport(
  folds: readonly JudgedClips[],
  test: JudgedClips | undefined,
  calibration: Calibration | undefined,
): ServedReport {
  const parts = folds.length > 1 ? folds : deal(folds[0]!);
  const outcomes = parts.map((part, index) => {
    const others = parts.filter((_, other) => other !== index);
    const fitted =
      calibration === undefined || others.length === 0
        ? calibration
        : fitCalibration(
            others.flatMap(({ labels }) => labels),
            joinAnswers(others.map(({ answers }) => answers)),
          );
    return outcomesOf(part, fitted);
  });
  return {
    validation: figuresOf(outcomes.flat()),
    ...(test === undefined || test.labels.length === 0
      ? {}
      : { test: figuresOf(outcomesOf(test, calibration)) }),
  };
}

/** A clip, judged. */
interface Outcome {
  readonly recording: string;
  readonly label: number;
  readonly probabilities: Float32Array;
  readonly isCorrect: boolean;
  readonly isKnown: boolean;
}

function outcomesOf(
  { labels, recordings, answers }: JudgedClips,
  calibration: Calibration | undefined,
): Outcome[] {
  const scores = knownScores(answers, calibration?.temperature);
  return labels.map((label, clip) => {
    const probabilities = meanProbabilities(answers.logits[clip]!, calibration?.temperature);
    return {
      recording: recordings[clip]!,
      label,
      probabilities,
      isCorrect: probabilities.indexOf(Math.max(...probabilities)) === label,
      isKnown: calibration === undefined || scores[clip]! >= calibration.unknownBelow,
    };
  });
}

function figuresOf(outcomes: readonly Outcome[]): ServedFigures {
  const recordings = outcomes.map(({ recording }) => recording);
  const correct = outcomes.map(({ isCorrect }) => isCorrect);
  const answered = outcomes.map(({ isCorrect, isKnown }) => isCorrect && isKnown);
  const scores = scoresByRecording(recordings, correct);
  return {
    clips: outcomes.length,
    recordings: scores.length,
    correct: correct.filter(Boolean).length,
    accuracyInterval: recordingsInterval(scores),
    answered: answered.filter(Boolean).length,
    answeredInterval: recordingsInterval(scoresByRecording(recordings, answered)),
    passed: outcomes.filter(({ isKnown }) => isKnown).length,
    expectedCalibrationError: reliability(
      outcomes.map(({ label }) => label),
      outcomes.map(({ probabilities }) => probabilities),
    ).expectedCalibrationError,
  };
}

/** Parts that share no recording; fewer where there are fewer recordings. */
function deal({ labels, recordings, answers }: JudgedClips): JudgedClips[] {
  const order = [...new Set(recordings)];
  const count = Math.min(partsOfOneFold, order.length);
  const partOf = new Map(order.map((recording, index) => [recording, index % count]));
  return Array.from({ length: count }, (_, part) => {
    const chosen = recordings.flatMap((recording, clip) => (partOf.get(recording) === part ? [clip] : []));
    return {
      labels: chosen.map((clip) => labels[clip]!),
      recordings: chosen.map((clip) => recordings[clip]!),
      answers: {
        logits: chosen.map((clip) => answers.logits[clip]!),
        evidence: chosen.map((clip) => answers.evidence[clip]),
      },
    };
  });
}
