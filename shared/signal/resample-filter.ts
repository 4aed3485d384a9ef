import { tapsPerStep } from './resample-kernel';

/**
 * The low-pass of the resampler: a sinc with a Kaiser window (J. F. Kaiser, 1974). It is flat up to 0.9
 * of the lower of the two Nyquist frequencies and attenuates by more than 100 dB from that frequency on,
 * so there is no aliasing. Time is in periods of the lower rate.
 */
const halfWidth = 71;
const cutoff = 0.95;
const attenuationDb = 110;
const kaiserBeta = 0.1102 * (attenuationDb - 8.7);

/**
 * A table with all phases may have this many entries, 1 MiB. Larger ones are replaced by a table of
 * `finePhases` with interpolation. All common rates stay below. The limit exists because callers choose
 * rates, and each rate in use needs a table.
 */
const maxExactEntries = 1 << 18;
/**
 * Steps per period of the lower rate. Linear interpolation between two has an error below (π/1024)²/8 ≈
 * 1.2e-6 (−118 dB).
 */
const finePhases = 1024;

export interface ResampleFilter {
  /** The reduced ratio of output to input rate. */
  readonly up: number;
  readonly down: number;
  /**
   * Taps per row, a multiple of 16. Tap `j` weighs the input sample `floor(position) − taps/2 + 1 + j`.
   */
  readonly taps: number;
  /**
   * Row r holds the taps for the fraction r/phases of an input sample. There is one more row than phases
   * when interpolated.
   */
  readonly rows: Float32Array;
  readonly phases: number;
  /** Whether positions between two rows are interpolated. */
  readonly interpolated: boolean;
}

/** The modified Bessel function of the first kind of order zero, by its power series. */
function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k += 1) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

const atCentre = besselI0(kaiserBeta);

/** Returns the impulse response at `t` periods of the lower rate. */
function impulse(t: number): number {
  const edge = t / halfWidth;
  if (Math.abs(edge) >= 1) return 0;
  const window = besselI0(kaiserBeta * Math.sqrt(1 - edge * edge)) / atCentre;
  const angle = Math.PI * cutoff * t;
  return window * (angle === 0 ? 1 : Math.sin(angle) / angle);
}

/**
 * Designs the filter for up/down (the reduced ratio of output to input rate). Each row is scaled to a
 * sum of one, so that a constant signal stays constant.
 */
export function designFilter(up: number, down: number): ResampleFilter {
  const scale = Math.min(1, up / down); // periods of the lower rate in one input sample
  const taps = tapsPerStep * Math.ceil((2 * halfWidth) / scale / tapsPerStep);
  const interpolated = taps * up > maxExactEntries;
  const phases = interpolated ? Math.ceil(finePhases * scale) : up;
  const rowCount = interpolated ? phases + 1 : phases;
  const rows = new Float32Array(rowCount * taps);
  const exact = new Float64Array(taps);
  for (let phase = 0; phase < rowCount; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      exact[tap] = impulse((phase / phases + taps / 2 - 1 - tap) * scale);
      sum += exact[tap]!;
    }
    for (let tap = 0; tap < taps; tap += 1) rows[phase * taps + tap] = exact[tap]! / sum;
  }
  return { up, down, taps, rows, phases, interpolated };
}
