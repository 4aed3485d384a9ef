/** A stretch of time in which the smoothed value only rises or only falls; times from the start of the ramp. */
export interface Piece {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly startValue: number;
  readonly endValue: number;
}

export interface RampResponse {
  /** One, or two where the value turns round on the way. */
  readonly pieces: readonly Piece[];
  /** When a piece reaches `level`; its start where it begins on the level's far side already. */
  readonly crossing: (piece: Piece, level: number) => number;
}

/** Halvings of the span: far below a sample's length. */
const bisections = 50;

/**
 * A low-pass of the first order (time constant τ, `s' = (p − s) / τ`) following an input that moves in a straight line:
 * `s(t) = p(t) − mτ + (s₀ − p₀ + mτ) e^(−t/τ)` with m the slope. τ = 0 passes the input through.
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
  // It turns where s' = 0: m = (excess / τ) e^(−t/τ).
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
  for (let step = 0; step < bisections; step++) {
    const middle = (low + high) / 2;
    if (beyond(at(middle))) high = middle;
    else low = middle;
  }
  return high;
}
