import { sigmoid } from '../../../shared/decision/independent-probabilities';
/** Log-odds that are linear in some features. */
export interface LogisticModel {
  /** One a feature. */
  readonly kernel: Float32Array;
  readonly bias: number;
}

/** Each feature over the rows at mean 0 and deviation 1. */
interface Standardised {
  readonly values: Float32Array;
  readonly means: Float64Array;
  readonly deviations: Float64Array;
}

/** Added to deviations: what hardly ever moves is not blown up. */
const leastDeviation = 1e-3;
const maxSteps = 500;
const enough = 1e-4;

/**
 * Logistic regression with both kinds weighing alike however many there are of each, and a penalty of
 * half the squared length of the standardised kernel; the one minimum is found by Nesterov's accelerated
 * gradient.
 * @param features [rows, features]
 * @param truth of each row; both kinds occur
 */
export function fitLogistic(
  features: Float32Array,
  truth: readonly boolean[],
  penalty: number,
): LogisticModel {
  const rows = truth.length;
  const width = features.length / rows;
  const { values, means, deviations } = standardise(features, rows);
  const positives = truth.filter(Boolean).length;
  const weights = truth.map((yes) => 0.5 / (yes ? positives : rows - positives));
  // The loss bends no more than a quarter of the weighted squares' largest eigenvalue, and the bias' 1,
  // plus the penalty.
  const rate = 1 / (0.25 * (largestEigenvalue(values, weights, width) + 1) + penalty);
  const model = { kernel: new Float64Array(width), bias: 0 };
  const ahead = { kernel: new Float64Array(width), bias: 0 };
  const gradient = new Float64Array(width);
  for (let step = 0, momentum = 1; step < maxSteps; step++) {
    let biasGradient = 0;
    gradient.forEach((_, i) => (gradient[i] = penalty * ahead.kernel[i]!));
    for (let row = 0; row < rows; row++) {
      const x = values.subarray(row * width, (row + 1) * width);
      const error = weights[row]! * (sigmoid(dot(x, ahead.kernel) + ahead.bias) - Number(truth[row]));
      for (let i = 0; i < width; i++) gradient[i]! += error * x[i]!;
      biasGradient += error;
    }
    if (Math.hypot(biasGradient, ...gradient) < enough) break;
    const next = (1 + Math.sqrt(1 + 4 * momentum ** 2)) / 2;
    const push = (momentum - 1) / next;
    momentum = next;
    const move = (old: number, from: number, slope: number): [value: number, ahead: number] => {
      const value = from - rate * slope;
      return [value, value + push * (value - old)];
    };
    for (let i = 0; i < width; i++) {
      [model.kernel[i], ahead.kernel[i]] = move(model.kernel[i]!, ahead.kernel[i]!, gradient[i]!);
    }
    [model.bias, ahead.bias] = move(model.bias, ahead.bias, biasGradient);
  }
  const kernel = Float32Array.from(model.kernel, (value, i) => value / deviations[i]!);
  return { kernel, bias: model.bias - dot(kernel, means) };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function standardise(features: Float32Array, rows: number): Standardised {
  const width = features.length / rows;
  const means = new Float64Array(width);
  const deviations = new Float64Array(width);
  features.forEach((value, at) => (means[at % width]! += value / rows));
  features.forEach((value, at) => (deviations[at % width]! += (value - means[at % width]!) ** 2 / rows));
  deviations.forEach((variance, i) => (deviations[i] = Math.sqrt(variance) + leastDeviation));
  const values = features.map((value, at) => (value - means[at % width]!) / deviations[at % width]!);
  return { values, means, deviations };
}

/** Of Σ w x xᵀ, from above enough: power iteration, and a tenth more. */
function largestEigenvalue(values: Float32Array, weights: readonly number[], width: number): number {
  let direction = new Float64Array(width).fill(1 / Math.sqrt(width));
  let length = 0;
  for (let round = 0; round < 20; round++) {
    const turned = new Float64Array(width);
    weights.forEach((weight, row) => {
      const x = values.subarray(row * width, (row + 1) * width);
      const along = weight * dot(x, direction);
      for (let i = 0; i < width; i++) turned[i]! += along * x[i]!;
    });
    length = Math.sqrt(dot(turned, turned));
    direction = turned.map((value) => value / length);
  }
  return 1.1 * length;
}
