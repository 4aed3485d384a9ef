import type { LogMelFrontEnd } from '../../shared/contracts/front-end';

// Jest's own context makes each look-up of a global slow: take them once.
const { PI, abs, cos, floor, log10, max, min, pow, sin } = Math;

/**
 * The log-mel front end once more, in double precision, written from its definition alone: a discrete
 * Fourier transform by its sum, triangles by their corners. Slow; the fast one is held against it.
 */
export function referenceCrops(window: ArrayLike<number>, frontEnd: LogMelFrontEnd): number[][] {
  const { sampleRate, windowSeconds, hopSamples, crops, cropFrames, silenceDecibels, rangeDecibels } =
    frontEnd;
  const length = min(window.length, sampleRate * windowSeconds);
  const frames: number[][] = [];
  for (let centre = 0; centre <= length; centre += hopSamples) {
    frames.push(melPowers(window, length, centre, frontEnd));
  }
  const levels = frames.map((powers) => 10 * log10(powers.reduce((sum, power) => sum + power, 0) + 1e-10));
  const loudest = max(...levels);
  const result: number[][] = [];
  for (let crop = 0; crop < crops; crop++) {
    const start = floor((frames.length * crop) / crops);
    const chosen = Array.from({ length: cropFrames }, (_, i) => (start + i) % frames.length);
    const level = max(...chosen.map((frame) => levels[frame]!));
    if (level < loudest - silenceDecibels) continue;
    const decibels = chosen.flatMap((frame) =>
      frames[frame]!.map((power) => 10 * log10(power / (pow(10, level / 10) + 1e-12) + 1e-10)),
    );
    const top = decibels.reduce((a, b) => max(a, b));
    result.push(decibels.map((value) => max(value - top, -rangeDecibels)));
  }
  return result;
}

function melPowers(
  window: ArrayLike<number>,
  length: number,
  centre: number,
  { sampleRate, fftSamples, melBins, lowestHz, highestHz }: LogMelFrontEnd,
): number[] {
  const frame = Array.from({ length: fftSamples }, (_, i) => {
    const at = centre - fftSamples / 2 + i;
    const hann = 0.5 * (1 - cos((2 * PI * i) / fftSamples));
    return at >= 0 && at < length ? hann * window[at]! : 0;
  });
  const power = Array.from({ length: floor((highestHz * fftSamples) / sampleRate) + 1 }, (_, k) => {
    let [re, im] = [0, 0];
    for (let i = 0; i < fftSamples; i++) {
      // The angle's whole turns are taken off before they cost digits.
      const angle = (2 * PI * ((k * i) % fftSamples)) / fftSamples;
      re += frame[i]! * cos(angle);
      im -= frame[i]! * sin(angle);
    }
    return re * re + im * im;
  });
  const mel = (hertz: number): number => 2595 * log10(1 + hertz / 700);
  const corners = Array.from({ length: melBins + 2 }, (_, i) => {
    const place = mel(lowestHz) + ((mel(highestHz) - mel(lowestHz)) * i) / (melBins + 1);
    return 700 * (pow(10, place / 2595) - 1);
  });
  return Array.from({ length: melBins }, (_, m) => {
    const [left, peak, right] = corners.slice(m, m + 3) as [number, number, number];
    return power.reduce((sum, value, k) => {
      const hertz = (k * sampleRate) / fftSamples;
      const side = hertz < peak ? peak - left : right - peak;
      const height = max(0, 1 - abs(hertz - peak) / side);
      return sum + (value * height * 2) / (right - left);
    }, 0);
  });
}
