import { randomNumbers } from './signals';

/** Full-scale. */
export function whiteNoise(samples: number, seed: number): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: samples }, () => random() * 2 - 1);
}

const { exp, cos } = Math;

/** I0 by its integral over half a circle: (1/π) ∫ exp(x cos t) dt. */
function bessel(x: number): number {
  const steps = 64;
  let sum = 0;
  for (let step = 0; step < steps; step += 1) sum += exp(x * cos((Math.PI * (step + 0.5)) / steps));
  return sum / steps;
}

const beta = 0.1102 * (110 - 8.7);
const centre = bessel(beta);

/**
 * The documented filter, written straight from its definition, in double precision, one output sample at
 * a time.
 */
export function naiveSample(samples: Float32Array, fromHz: number, toHz: number, k: number): number {
  const scale = Math.min(1, toHz / fromHz);
  const halfWidth = 71;
  const position = (k * fromHz) / toHz;
  const reach = Math.ceil(halfWidth / scale);
  let [sum, weights] = [0, 0];
  for (let n = Math.floor(position) - reach; n <= Math.floor(position) + reach + 1; n += 1) {
    const t = (position - n) * scale;
    if (Math.abs(t) >= halfWidth) continue;
    const window = bessel(beta * Math.sqrt(1 - (t / halfWidth) ** 2)) / centre;
    const weight = window * (t === 0 ? 1 : Math.sin(Math.PI * 0.95 * t) / (Math.PI * 0.95 * t));
    weights += weight;
    sum += weight * (samples[n] ?? 0);
  }
  return sum / weights;
}
