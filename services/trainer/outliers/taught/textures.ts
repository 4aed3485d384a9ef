import {
  amplitude,
  between,
  contour,
  faded,
  oscillator,
  period,
  pitch,
  resonator,
  type Uniform,
} from './synthesis';

const lowestHz = 60;
const highestHz = 9000;

/**
 * Noise of a random spectrum: up to four bands over a floor; steady, or with a loudness that wanders.
 */
export function shapedNoise(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const floor = amplitude(between(uniform, -45, 0));
  const bands = Array.from({ length: Math.floor(5 * uniform()) }, () => {
    const filter = resonator(sampleRate);
    const hertz = pitch(uniform, lowestHz, highestHz);
    filter.tune(hertz, hertz * pitch(uniform, 0.05, 1.5));
    return { filter, level: amplitude(between(uniform, -20, 10)) };
  });
  // The floor itself leans one way or the other.
  const lean = uniform() < 0.5 ? 0 : between(uniform, -0.95, 0.98);
  const range = uniform() < 0.5 ? 0 : between(uniform, 3, 25);
  const loudness = contour(uniform, pitch(uniform, 0.04, 1) * sampleRate, -range, 0);
  let leaning = 0;
  return Float32Array.from({ length }, (_, i) => {
    const white = uniform() - 0.5;
    leaning = lean * leaning + (1 - Math.abs(lean)) * white;
    const heard = bands.reduce((sum, { filter, level }) => sum + level * filter.pass(white), floor * leaning);
    return heard * amplitude(loudness(i));
  });
}

/** Two to eight tones at no particular distances, each louder and softer on its own. */
export function partials(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const sound = new Float32Array(length);
  const count = 2 + Math.floor(7 * uniform());
  const rise = pitch(uniform, 0.05, 3) * sampleRate;
  for (let partial = 0; partial < count; partial++) {
    const play = oscillator(period([1], uniform), sampleRate);
    const hertz = pitch(uniform, lowestHz, highestHz);
    const [drift, loudness] = [
      contour(uniform, sampleRate, 0.995 * hertz, 1.005 * hertz),
      contour(uniform, rise, between(uniform, -40, 0), 0),
    ];
    const level = amplitude(between(uniform, -20, 0));
    for (let i = 0; i < length; i++) sound[i]! += level * play(drift(i)) * amplitude(loudness(i));
  }
  return sound;
}

/** Short glides with pauses between them, every one alike or every one another. */
export function chirps(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const sound = new Float32Array(length);
  const draw = (): { from: number; to: number; seconds: number; pause: number } => ({
    from: pitch(uniform, 200, 8000),
    to: pitch(uniform, 200, 8000),
    seconds: pitch(uniform, 0.04, 0.7),
    pause: pitch(uniform, 0.02, 0.6),
  });
  const same = uniform() < 0.5 ? draw() : undefined;
  const play = oscillator(period(uniform() < 0.5 ? [1] : [1, uniform(), uniform()], uniform), sampleRate);
  for (let start = 0; start < length;) {
    const { from, to, seconds, pause } = same ?? draw();
    const chirp = seconds * sampleRate;
    for (let i = 0; i < chirp && start + i < length; i++) {
      sound[start + i] = play(from * (to / from) ** (i / chirp)) * faded(i, chirp, 0.2 * chirp);
    }
    start += Math.ceil(chirp + pause * sampleRate);
  }
  return sound;
}

/** A tone whose pitch and loudness swing fast, from a siren's to a buzzer's. */
export function warble(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const carrier = pitch(uniform, 150, 4000);
  const swingHz = pitch(uniform, 1, 80);
  const [bend, beat] = [between(uniform, 0, 0.6), between(uniform, 0, 1)];
  const levels = Array.from({ length: 1 + Math.floor(4 * uniform()) }, (_, i) => uniform() / (i + 1));
  const play = oscillator(period([1, ...levels], uniform), sampleRate);
  return Float32Array.from({ length }, (_, i) => {
    const swing = Math.sin((2 * Math.PI * swingHz * i) / sampleRate);
    return play(carrier * 2 ** (bend * swing)) * (1 - beat * (0.5 + 0.5 * swing));
  });
}
