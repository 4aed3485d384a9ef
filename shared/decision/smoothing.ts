/**
 * A time span in which the smoothed value only rises or only falls. Times are relative to the start of
 * the ramp.
 */
interface Piece {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly startValue: number;
  readonly endValue: number;
}

export interface RampResponse {
  /** One piece, or two where the value changes direction. */
  readonly pieces: readonly Piece[];
  /** Returns when a piece crosses `level`, in seconds; its start where it begins beyond the level. */
  readonly crossing: (piece: Piece, level: number) => number;
}

/** Returns the smoothed value at the end of a ramp; as `followRamp`, whose last piece ends with it. */
export function endOfRamp(
  value: number,
  from: number,
  to: number,
  spanSeconds: number,
  timeConstantSeconds: number,
): number {
  if (timeConstantSeconds === 0) return to;
  const lag = ((to - from) / spanSeconds) * timeConstantSeconds;
  return to - lag + (value - from + lag) * Math.exp(-spanSeconds / timeConstantSeconds);
}

/** Number of halvings of the span; the precision is far below one sample. */
const bisectionSteps = 50;

/**
 * Computes the response of a first-order low-pass (time constant τ, `s' = (p − s) / τ`) to a linear
 * input: `s(t) = p(t) − mτ + (s₀ − p₀ + mτ) e^(−t/τ)` with m the slope. With τ = 0 the input passes
 * unchanged.
 * @param value s₀, the smoothed value at the start
 * @param from p₀, the input at the start
 * @param to the input at the end, `spanSeconds` later
 */
export function followRamp(
  value: number,
  from: number,
  to: number,
  spanSeconds: number,
  timeConstantSeconds: number,
): RampResponse {
  const tau = timeConstantSeconds;
  const slope = (to - from) / spanSeconds;
  const excess = value - from + slope * tau;
  const at = (seconds: number): number => {
    const input = from + slope * seconds;
    return tau === 0 ? input : input - slope * tau + excess * Math.exp(-seconds / tau);
  };
  // The extremum is where s' = 0: m = (excess / τ) e^(−t/τ).
  const turnSeconds = tau === 0 ? NaN : -tau * Math.log((slope * tau) / excess);
  const stops = turnSeconds > 0 && turnSeconds < spanSeconds ? [turnSeconds, spanSeconds] : [spanSeconds];
  let startSeconds = 0;
  const pieces = stops.map((endSeconds) => {
    const piece = { startSeconds, endSeconds, startValue: at(startSeconds), endValue: at(endSeconds) };
    startSeconds = endSeconds;
    return piece;
  });
  return { pieces, crossing: (piece, level) => bisect(at, piece, level) };
}

function bisect(at: (seconds: number) => number, piece: Piece, level: number): number {
  const { startSeconds, endSeconds, startValue, endValue } = piece;
  const upwards = endValue >= level;
  const beyond = (value: number): boolean => (upwards ? value >= level : value < level);
  if (beyond(startValue)) return startSeconds;
  let [low, high] = [startSeconds, endSeconds];
  for (let step = 0; step < bisectionSteps; step++) {
    const middle = (low + high) / 2;
    if (beyond(at(middle))) high = middle;
    else low = middle;
  }
  return high;
}
