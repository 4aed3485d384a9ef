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

/** Harmonics up to 10 kHz that fall by a slope, each a little louder or softer than it. */
function harmonics(uniform: Uniform, highestPitch: number, slope: number): number[] {
  const count = Math.max(1, Math.min(60, Math.floor(10_000 / highestPitch)));
  return Array.from({ length: count }, (_, i) => (i + 1) ** -slope * amplitude(between(uniform, -8, 8)));
}

/**
 * Talk without words: a buzz whose pitch wanders through three resonances that glide from syllable to
 * syllable, pauses, and hiss between some of them.
 */
export function babble(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const sound = new Float32Array(length);
  const base = pitch(uniform, 75, 240);
  const buzz = oscillator(period(harmonics(uniform, 1.3 * base, 1), uniform), sampleRate);
  const melody = contour(uniform, 0.25 * sampleRate, 0.8 * base, 1.25 * base);
  const ranges = [
    [250, 900],
    [800, 2500],
    [2200, 3600],
  ] as const;
  const syllableSeconds = between(uniform, 0.13, 0.32);
  const formants = ranges.map(([low, high]) => ({
    filter: resonator(sampleRate),
    level: between(uniform, 0.3, 1),
    glide: contour(uniform, syllableSeconds * sampleRate, low, high),
  }));
  const hiss = resonator(sampleRate);
  for (let start = 0; start < length;) {
    const syllable = Math.round(syllableSeconds * between(uniform, 0.6, 1.4) * sampleRate);
    const loud = uniform() < 0.18 ? 0 : between(uniform, 0.3, 1);
    const hissing = uniform() < 0.35 ? between(uniform, 0.1, 0.5) : 0;
    const hissLength = 0.35 * syllable;
    hiss.tune(pitch(uniform, 2500, 8000), 1500);
    for (let i = start; i < Math.min(length, start + syllable); i++) {
      if ((i & 63) === 0) for (const { filter, glide } of formants) filter.tune(glide(i), 90);
      const source = buzz(melody(i)) * loud * Math.sin((Math.PI * (i - start)) / syllable) ** 0.7;
      const voiced = formants.reduce((sum, { filter, level }) => sum + level * filter.pass(source), 0);
      const breath = hissing * faded(i - start, hissLength, 0.3 * hissLength);
      sound[i] = voiced + hiss.pass((uniform() - 0.5) * breath);
    }
    start += syllable;
  }
  return sound;
}

/** One to three voices that hold notes of no particular scale, with vibrato and soft edges. */
export function melodies(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const sound = new Float32Array(length);
  const voices = 1 + Math.floor(3 * uniform());
  const noteSeconds = pitch(uniform, 0.12, 1);
  for (let voice = 0; voice < voices; voice++) {
    const base = pitch(uniform, 90, 700);
    const play = oscillator(
      period(harmonics(uniform, 2 * base, between(uniform, 0.6, 2.5)), uniform),
      sampleRate,
    );
    const [vibratoHz, depth] = [between(uniform, 4, 7), between(uniform, 0, 0.02)];
    for (let start = 0; start < length;) {
      const note = Math.round(noteSeconds * between(uniform, 0.7, 1.5) * sampleRate);
      const hertz = base * 2 ** uniform();
      const level = uniform() < 0.12 ? 0 : between(uniform, 0.4, 1);
      for (let i = start; i < Math.min(length, start + note); i++) {
        const bend = 1 + depth * Math.sin((2 * Math.PI * vibratoHz * i) / sampleRate);
        sound[i]! += level * play(hertz * bend) * faded(i - start, note, 0.03 * sampleRate);
      }
      start += note;
    }
  }
  return sound;
}

/**
 * A motor or a transformer: many harmonics of a low pitch that hardly moves, its loudness beating
 * slowly, noise under it.
 */
export function hum(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const base = pitch(uniform, 40, 230);
  const play = oscillator(period(harmonics(uniform, base, between(uniform, 0.3, 2)), uniform), sampleRate);
  const drift = contour(uniform, sampleRate, 0.99 * base, 1.01 * base);
  const loudness = contour(uniform, pitch(uniform, 0.1, 1) * sampleRate, between(uniform, 0.3, 1), 1);
  const floor = amplitude(between(uniform, -60, -15));
  return Float32Array.from({ length }, (_, i) => play(drift(i)) * loudness(i) + floor * (uniform() - 0.5));
}

/**
 * Bursts of a tone with harmonics, as an alarm or a telephone gives them; two pitches in turn on some.
 */
export function beeps(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const [base, burstHz, duty] = [
    pitch(uniform, 250, 4000),
    pitch(uniform, 0.7, 9),
    between(uniform, 0.3, 0.9),
  ];
  const second = base * (uniform() < 0.5 ? 1 : pitch(uniform, 0.6, 1.7));
  const play = oscillator(
    period(harmonics(uniform, 1.7 * base, between(uniform, 1, 3)), uniform),
    sampleRate,
  );
  const burst = sampleRate / burstHz;
  return Float32Array.from({ length }, (_, i) => {
    const turn = Math.floor(i / burst);
    const value = play(turn % 2 === 0 ? base : second);
    return value * faded(i - turn * burst, duty * burst, 0.004 * sampleRate);
  });
}
