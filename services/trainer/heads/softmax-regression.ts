import type { LinearHead } from '../../../shared/compute/network/head';
import { minimise } from './minimise';

export interface SoftmaxRegressionOptions {
  /** Rows of equal length. */
  readonly features: readonly Float32Array[];
  /** The class of each row, from 0 to classes − 1. */
  readonly labels: readonly number[];
  /** How much each row counts; absent: each 1. */
  readonly weights?: readonly number[];
  readonly classes: number;
  /**
   * Weight of half the squared kernel beside the summed cross-entropy; scikit-learn's 1 / C. Biases are
   * free.
   */
  readonly penalty: number;
  /** Where the search ends, as a component of the gradient; absent: far below what changes an answer. */
  readonly gradientTolerance?: number;
}

/** Far below what changes an answer. */
const exactTolerance = 1e-5;
const maxIterations = 500;

/**
 * Multinomial logistic regression with an L2 penalty, on features that are standardised first: each is
 * shifted and scaled to mean 0 and deviation 1 over the rows (a constant one is only shifted). The head
 * that comes back takes features as they are.
 */
export function fitSoftmaxRegression(options: SoftmaxRegressionOptions): LinearHead {
  const { labels, classes, penalty, gradientTolerance = exactTolerance } = options;
  const rowWeights = options.weights ?? labels.map(() => 1);
  const { means, deviations, rows } = standardise(options.features, rowWeights);
  const width = means.length;
  const start = new Float64Array(width * classes + classes);
  const { point } = minimise(
    (weights, gradient) => penalisedLoss(weights, gradient, { rows, labels, rowWeights, classes, penalty }),
    start,
    { maxIterations, gradientTolerance },
  );
  const kernel = new Float32Array(width * classes);
  const bias = Float64Array.from(point.subarray(width * classes));
  for (let feature = 0; feature < width; feature++) {
    for (let c = 0; c < classes; c++) {
      const weight = point[c * width + feature]! / deviations[feature]!;
      kernel[feature * classes + c] = weight;
      bias[c]! -= weight * means[feature]!;
    }
  }
  return { kernel, bias: Float32Array.from(bias) };
}

interface Problem {
  readonly rows: readonly Float64Array[];
  readonly labels: readonly number[];
  readonly rowWeights: readonly number[];
  readonly classes: number;
  readonly penalty: number;
}

/**
 * Cross-entropy summed over the rows, each by its weight, plus the penalty; the weights of the head are
 * [classes, features] and then the biases.
 */
function penalisedLoss(weights: Float64Array, gradient: Float64Array, problem: Problem): number {
  const { rows, labels, rowWeights, classes, penalty } = problem;
  const biasAt = weights.length - classes;
  let loss = 0;
  for (let i = 0; i < biasAt; i++) {
    gradient[i] = penalty * weights[i]!;
    loss += 0.5 * penalty * weights[i]! * weights[i]!;
  }
  gradient.fill(0, biasAt);
  const scores = new Float64Array(classes);
  rows.forEach((row, index) => {
    const width = row.length;
    for (let c = 0; c < classes; c++) {
      let score = weights[biasAt + c]!;
      for (let i = 0, at = c * width; i < width; i++, at++) score += row[i]! * weights[at]!;
      scores[c] = score;
    }
    const weight = rowWeights[index]!;
    loss += weight * toErrors(scores, labels[index]!);
    for (let c = 0; c < classes; c++) {
      const error = weight * scores[c]!;
      for (let i = 0, at = c * width; i < width; i++, at++) gradient[at]! += error * row[i]!;
      gradient[biasAt + c]! += error;
    }
  });
  return loss;
}

/** Turns scores into probabilities minus the one-hot label. @returns the cross-entropy */
function toErrors(scores: Float64Array, label: number): number {
  const highest = scores.reduce((max, score) => Math.max(max, score), -Infinity);
  const own = scores[label]! - highest;
  let sum = 0;
  for (let c = 0; c < scores.length; c++) sum += scores[c] = Math.exp(scores[c]! - highest);
  for (let c = 0; c < scores.length; c++) scores[c]! /= sum;
  scores[label]! -= 1;
  return Math.log(sum) - own;
}

/** A variance below this share of the squared mean is what rounding makes of a constant feature. */
const roundingShare = 1e-12;

function standardise(
  features: readonly Float32Array[],
  rowWeights: readonly number[],
): {
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  readonly rows: readonly Float64Array[];
} {
  const width = features[0]!.length;
  const means = new Float64Array(width);
  const squares = new Float64Array(width);
  const total = rowWeights.reduce((sum, weight) => sum + weight, 0);
  const shares = rowWeights.map((weight) => weight / total);
  features.forEach((row, index) => {
    row.forEach((value, i) => (means[i]! += shares[index]! * value));
  });
  features.forEach((row, index) => {
    row.forEach((value, i) => (squares[i]! += shares[index]! * (value - means[i]!) ** 2));
  });
  const deviations = squares.map((square, i) =>
    square > roundingShare * means[i]! ** 2 ? Math.sqrt(square) : 1,
  );
  const rows = features.map((row) =>
    Float64Array.from(row, (value, i) => (value - means[i]!) / deviations[i]!),
  );
  return { means, deviations, rows };
}
