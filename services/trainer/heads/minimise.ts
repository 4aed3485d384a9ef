/** A point where a function is as small as the search got it. */
export interface Minimum {
  readonly point: Float64Array;
  readonly value: number;
}

/** Writes the gradient at `point` and returns the function's value there. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number;

export interface MinimiseOptions {
  readonly maxIterations: number;
  /** The search ends where no component of the gradient is larger. */
  readonly gradientTolerance: number;
}

/** Pairs of steps and gradient changes that approximate the curvature. */
const historyLength = 10;
/** Armijo's rule: a step must gain this share of what the slope promises. */
const sufficientGain = 1e-4;

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  /** Their inner product, positive. */
  readonly curvature: number;
}

/**
 * Limited-memory BFGS with a backtracking line search (Nocedal and Wright, Numerical Optimization,
 * algorithms 7.4 and 7.5), for smooth convex functions.
 */
export function minimise(objective: Objective, start: Float64Array, options: MinimiseOptions): Minimum {
  let point: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(start.length);
  let value = objective(point, gradient);
  const pairs: Pair[] = [];
  for (let iteration = 0; iteration < options.maxIterations; iteration++) {
    if (largest(gradient) <= options.gradientTolerance) break;
    const direction = descent(gradient, pairs);
    const slope = dot(direction, gradient);
    let length = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    let next = moved(point, direction, length);
    const nextGradient = new Float64Array(start.length);
    let nextValue = objective(next, nextGradient);
    while (!(nextValue <= value + sufficientGain * length * slope)) {
      length /= 2;
      if (length < 1e-12) return { point, value };
      next = moved(point, direction, length);
      nextValue = objective(next, nextGradient);
    }
    const step = difference(next, point);
    const change = difference(nextGradient, gradient);
    const curvature = dot(step, change);
    if (curvature > 1e-12) pairs.push({ step, change, curvature });
    if (pairs.length > historyLength) pairs.shift();
    [point, gradient, value] = [next, nextGradient, nextValue];
  }
  return { point, value };
}

/** The two-loop recursion: minus the approximate inverse Hessian times the gradient. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((value) => -value);
  const factors = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { step, change, curvature } = pairs[i]!;
    factors[i] = dot(step, direction) / curvature;
    addScaled(direction, change, -factors[i]!);
  }
  const last = pairs.at(-1);
  if (last !== undefined) scale(direction, last.curvature / dot(last.change, last.change));
  pairs.forEach(({ step, change, curvature }, i) => {
    addScaled(direction, step, factors[i]! - dot(change, direction) / curvature);
  });
  return direction;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(to: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += factor * values[i]!;
}

function scale(values: Float64Array, factor: number): void {
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
}

function moved(point: Float64Array, direction: Float64Array, length: number): Float64Array {
  return point.map((value, i) => value + length * direction[i]!);
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]!);
}

function largest(values: Float64Array): number {
  return values.reduce((highest, value) => Math.max(highest, Math.abs(value)), 0);
}
