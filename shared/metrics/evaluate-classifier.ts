import type { ClassEvaluation, Evaluation } from '../contracts/evaluation';
import { classScores } from './class-scores';
import { confusionMatrix } from './confusion-matrix';
import { crossEntropy } from './cross-entropy';
import { roc } from './roc';
import { spread } from './spread';
import { recordingsInterval, scoresByRecording } from './recordings-interval';
import { wilsonInterval } from './wilson-interval';

export interface ClassifierResults {
  /** True class of each clip, 0 … classes − 1. */
  readonly labels: readonly number[];
  /** `[clips][classes]`; each row sums to 1. */
  readonly probabilities: readonly Float32Array[];
  readonly classes: readonly string[];
  /** The source recording of each clip; absent: each clip is a recording of its own. */
  readonly recordings?: readonly string[];
}

/**
 * Computes all figures of the report's task 3 for one set of clips. The prediction is the most probable
 * class, the first one on a tie.
 * @throws RangeError when the sizes are inconsistent or a probability is not in [0, 1]
 */
export function evaluateClassifier(results: ClassifierResults): Evaluation {
  check(results);
  const { labels, probabilities, classes, recordings } = results;
  const predicted = probabilities.map(mostProbable);
  const confusion = confusionMatrix(labels, predicted, classes.length);
  const scores =
    recordings &&
    scoresByRecording(
      recordings,
      predicted.map((label, clip) => label === labels[clip]),
    );
  const correct = confusion.reduce((sum, row, index) => sum + row[index]!, 0);
  const perClass = classes.map((_, index) => evaluateClass(results, confusion, index));
  const areas = perClass.flatMap(({ auc }) => (auc === null ? [] : [auc]));
  return {
    clips: labels.length,
    correct,
    accuracy: correct / labels.length,
    ...(scores === undefined
      ? { accuracyInterval: wilsonInterval(correct, labels.length) }
      : { accuracyInterval: recordingsInterval(scores), recordings: scores.length }),
    loss: crossEntropy(labels, probabilities),
    confusion,
    perClass,
    macro: {
      precision: spread(perClass.map((scores) => scores.precision)).mean,
      recall: spread(perClass.map((scores) => scores.recall)).mean,
      f1: spread(perClass.map((scores) => scores.f1)).mean,
      auc: areas.length === 0 ? null : spread(areas).mean,
    },
  };
}

function evaluateClass(results: ClassifierResults, confusion: number[][], index: number): ClassEvaluation {
  const curve = roc(
    results.labels.map((label) => label === index),
    results.probabilities.map((row) => row[index]!),
  );
  return {
    class: results.classes[index]!,
    ...classScores(confusion, index),
    auc: curve?.auc ?? null,
    roc: curve?.points ?? [],
  };
}

function mostProbable(row: Float32Array): number {
  return row.reduce((best, probability, index) => (probability > row[best]! ? index : best), 0);
}

function check({ labels, probabilities, classes }: ClassifierResults): void {
  if (labels.length === 0) throw new RangeError('expected at least one clip, got none');
  if (labels.length !== probabilities.length) {
    throw new RangeError(
      `expected a row of probabilities a label, got ${probabilities.length} for ${labels.length}`,
    );
  }
  probabilities.forEach((row, clip) => {
    // A softmax in Float32 may exceed 1 by a rounding error.
    if (row.length !== classes.length || !row.every((value) => value >= 0 && value <= 1 + 1e-5)) {
      throw new RangeError(
        `expected ${classes.length} probabilities, got [${row.join(', ')}] at clip ${clip}`,
      );
    }
  });
}
