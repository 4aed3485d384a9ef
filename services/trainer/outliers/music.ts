/** Semitones over the root: major, minor, suspended, seventh. */
const chords = [
  [0, 4, 7, 12],
  [0, 3, 7, 12],
  [0, 5, 7, 12],
  [0, 4, 7, 10],
] as const;

/**
 * Something like music: chords of plucked or held notes at a steady beat, a bass under them and, on most
 * pieces, a drum of noise. Everything is drawn from `uniform`.
 */
export function music(length: number, sampleRate: number, uniform: () => number): Float32Array {
  const piece = new Float32Array(length);
  const beatSeconds = 0.25 + 0.4 * uniform();
  const root = 110 * 2 ** (Math.floor(uniform() * 12) / 12);
  const decay = uniform() < 0.5 ? 3 + 5 * uniform() : 0.5;
  const brightness = 0.3 + 0.5 * uniform();
  const drums = uniform() < 0.7;
  for (let beat = 0; beat * beatSeconds * sampleRate < length; beat++) {
    const start = Math.floor(beat * beatSeconds * sampleRate);
    const chord = chords[Math.floor(uniform() * chords.length)]!;
    const step = 2 ** ([0, 5, 7, -3][Math.floor(beat / 4) % 4]! / 12);
    const note = chord[Math.floor(uniform() * chord.length)]!;
    pluck(piece, start, root * step * 2 * 2 ** (note / 12), { decay, brightness, sampleRate, level: 0.25 });
    if (beat % 2 === 0) {
      pluck(piece, start, (root * step) / 2, { decay: 2, brightness: 0.4, sampleRate, level: 0.3 });
    }
    if (drums) hit(piece, start, beat % 2 === 0 ? 0.2 : 0.08, sampleRate, uniform);
  }
  return piece.map((value) => Math.max(-1, Math.min(1, value)));
}

interface Voice {
  /** A second. */
  readonly decay: number;
  /** Each harmonic's level over the one below it. */
  readonly brightness: number;
  readonly level: number;
  readonly sampleRate: number;
}

/** A note of a second: harmonics that decay the faster the higher they are, after an attack of 5 ms. */
function pluck(piece: Float32Array, start: number, hertz: number, voice: Voice): void {
  const { decay, brightness, level, sampleRate } = voice;
  const end = Math.min(piece.length, start + sampleRate);
  const [attack, release] = [0.005 * sampleRate, 0.05 * sampleRate];
  for (let harmonic = 1; harmonic <= 4 && hertz * harmonic < sampleRate / 2; harmonic++) {
    // A rotating and shrinking arrow: each sample is the last one times one complex number.
    const step = (2 * Math.PI * hertz * harmonic) / sampleRate;
    const shrink = Math.exp((-decay * Math.sqrt(harmonic)) / sampleRate);
    const re = shrink * Math.cos(step);
    const im = shrink * Math.sin(step);
    let x = level * brightness ** (harmonic - 1);
    let y = 0;
    for (let i = start; i < end; i++) {
      const edge = Math.min(1, (i - start) / attack, (start + sampleRate - i) / release);
      piece[i]! += edge * y;
      const next = x * re - y * im;
      y = x * im + y * re;
      x = next;
    }
  }
}

function hit(
  piece: Float32Array,
  start: number,
  level: number,
  sampleRate: number,
  uniform: () => number,
): void {
  for (let i = start; i < Math.min(piece.length, start + 0.15 * sampleRate); i++) {
    piece[i]! += level * (uniform() - 0.5) * Math.exp((-40 * (i - start)) / sampleRate);
  }
}
