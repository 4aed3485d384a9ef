import { copyCrop, type MelSpectrogram } from '../../../../shared/front-end/log-mel';
import type { Augmentation } from '../../../../shared/contracts/augmentation';
import type { LogMelFrontEnd } from '../../../../shared/contracts/front-end';

type Uniform = () => number;

function between(uniform: Uniform, [low, high]: readonly [number, number]): number {
  return low + (high - low) * uniform();
}

/**
 * Adds a crop's power to another's as two sounds of equal level would mix (without their cross term).
 */
export function mixInto(crop: Float32Array, partner: Float32Array, share: number): void {
  const [own, other] = [share ** 2, (1 - share) ** 2];
  const scale = 1 / (own + other);
  for (let i = 0; i < crop.length; i++) crop[i] = (own * crop[i]! + other * partner[i]!) * scale;
}

/**
 * What happens between a sound and a file, on a crop's mel power with its loudest frame at about 1: a
 * room, noise, a narrow band. Each with its own probability.
 */
export function recordElsewhere(
  crop: Float32Array,
  uniform: Uniform,
  augmentation: Augmentation,
  frontEnd: LogMelFrontEnd,
  noises: readonly MelSpectrogram[],
): void {
  if (uniform() < augmentation.reverberation) reverberate(crop, uniform, frontEnd);
  if (uniform() < augmentation.noise) {
    const noise = noises[Math.floor(uniform() * noises.length)]!;
    const under = new Float32Array(crop.length);
    copyCrop(noise, Math.floor(uniform() * noise.frames), under);
    const power = 10 ** (-between(uniform, augmentation.noiseDecibels) / 10);
    for (let i = 0; i < crop.length; i++) crop[i]! += power * under[i]!;
  }
  if (uniform() < augmentation.bandLimit) {
    const [low, high] = augmentation.bandLimitHz;
    bandLimit(crop, low * (high / low) ** uniform(), frontEnd);
  }
}

/** Reverberation time 0.1 to 0.8 s, direct sound 10 dB above to 5 dB below the room's. */
function reverberate(
  crop: Float32Array,
  uniform: Uniform,
  { melBins, hopSamples, sampleRate }: LogMelFrontEnd,
): void {
  const decaySeconds = between(uniform, [0.1, 0.8]);
  const decay = 10 ** ((-6 * hopSamples) / sampleRate / decaySeconds);
  // The tail's whole power, decay / (1 − decay) of what feeds it, against the direct sound's.
  const wet = (10 ** (-between(uniform, [-5, 10]) / 10) * (1 - decay)) / decay;
  for (let bin = 0; bin < melBins; bin++) {
    let tail = 0;
    for (let i = bin; i < crop.length; i += melBins) {
      const direct = crop[i]!;
      crop[i] = direct + wet * tail * decay;
      tail = tail * decay + direct;
    }
  }
}

/** Nothing is left of the mel bins that peak above `hertz`, to half a bin. */
function bandLimit(
  crop: Float32Array,
  hertz: number,
  { melBins, lowestHz, highestHz }: LogMelFrontEnd,
): void {
  const mel = (frequency: number): number => Math.log10(1 + frequency / 700);
  const place = (mel(hertz) - mel(lowestHz)) / (mel(highestHz) - mel(lowestHz));
  const kept = Math.max(0, Math.min(melBins, Math.round(place * (melBins + 1) - 1)));
  for (let start = 0; start < crop.length; start += melBins) crop.fill(0, start + kept, start + melBins);
}

const equaliserPoints = 5;

/** On a crop in dB: a random equaliser, then masks over mel bins, filled with the crop's mean. */
export function colour(
  crop: Float32Array,
  uniform: Uniform,
  { equaliserDecibels, masks, maskBins }: Augmentation,
  melBins: number,
): void {
  const points = Array.from({ length: equaliserPoints }, () =>
    between(uniform, [-equaliserDecibels, equaliserDecibels]),
  );
  const gains = Float32Array.from({ length: melBins }, (_, bin) => {
    const position = (bin * (equaliserPoints - 1)) / (melBins - 1);
    const before = Math.min(equaliserPoints - 2, Math.floor(position));
    return points[before]! + (position - before) * (points[before + 1]! - points[before]!);
  });
  let sum = 0;
  for (let i = 0; i < crop.length; i++) sum += crop[i]! += gains[i % melBins]!;
  const mean = sum / crop.length;
  for (let mask = 0; mask < masks; mask++) {
    const width = Math.floor(uniform() * (maskBins + 1));
    const first = Math.floor(uniform() * (melBins - width + 1));
    for (let start = first; start < crop.length; start += melBins) crop.fill(mean, start, start + width);
  }
}
