import { chooseThresholds } from '../../../services/trainer/timelines/judge-timelines';
import { mixTimeline, type MixOptions } from '../../../services/trainer/timelines/mix-timeline';
import type { LabelledClip } from '../../../services/trainer/data/dataset';
import type { Timeline } from '../../../services/trainer/timelines/timeline';
import { randomNumbers } from '../../support/signals';

const sampleRate = 8000;
const random = randomNumbers(3);
const noise = (seconds: number, level: number): Float32Array =>
  Float32Array.from({ length: seconds * sampleRate }, () => level * (random() - 0.5));

/** Half a second of quiet, a second and a half of noise, and quiet again. */
function clip(label: number, index: number): LabelledClip {
  const samples = new Float32Array(5 * sampleRate);
  samples.set(noise(1.5, 0.2), sampleRate / 2);
  return { filename: `1-${100 + index}-A-${label}.wav`, fold: 1, source: String(index), label, samples };
}
const clips = [0, 1, 2].flatMap((label) => [0, 1].map((index) => clip(label, 10 * label + index)));
const background = [2, 3, 7].map((seconds, index) => ({
  name: `b${index}.ogg`,
  samples: noise(seconds, 0.8),
}));
const options: MixOptions = {
  name: 'mix',
  sampleRate,
  seconds: 120,
  events: 12,
  signalToBackground: [6, 18],
  seed: 4,
};
const mix = (changes: Partial<MixOptions> = {}): Timeline =>
  mixTimeline(clips, background, { ...options, ...changes });

const decibels = (samples: Float32Array): number =>
  10 * Math.log10(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);

describe('a mix', () => {
  it('is the background, at −50 dBFS each, and within the labels the sounds, as loud as asked', () => {
    const { samples, events } = mix();
    const { samples: bare, background: spans } = mix({ events: 0 });
    for (const { startSeconds, endSeconds } of spans.slice(0, -1)) {
      const own = bare.subarray(Math.round(startSeconds * sampleRate), Math.round(endSeconds * sampleRate));
      expect(decibels(own)).toBeCloseTo(-50, 3);
    }
    expect([spans[0]!.startSeconds, spans.at(-1)!.endSeconds]).toEqual([0, 120]);
    expect(new Set(spans.slice(0, 3).map(({ recording }) => recording)).size).toBe(3);
    const added = samples.map((value, index) => value - bare[index]!);
    const levels = events.map(({ onsetSeconds, offsetSeconds }) => {
      const [from, to] = [Math.round(onsetSeconds * sampleRate), Math.round(offsetSeconds * sampleRate)];
      const level = decibels(added.subarray(from, to)) + 50;
      added.fill(0, from, to);
      return level;
    });
    for (const level of levels) {
      // The fades at its ends take a little away.
      expect(level).toBeGreaterThan(6 - 0.2);
      expect(level).toBeLessThan(18);
    }
    expect(Math.max(...levels) - Math.min(...levels)).toBeGreaterThan(4);
    expect(added.every((value) => value === 0)).toBe(true);
  });

  it('has every class equally often, without the quiet around the sounds, 2 s apart at least', () => {
    const { events } = mix();
    expect([0, 1, 2].map((label) => events.filter((event) => event.label === label).length)).toEqual([
      4, 4, 4,
    ]);
    events.forEach(({ onsetSeconds, offsetSeconds, recording }, index) => {
      expect(Math.abs(offsetSeconds - onsetSeconds - 1.5)).toBeLessThan(0.03);
      expect(onsetSeconds - (events[index - 1]?.offsetSeconds ?? 0)).toBeGreaterThanOrEqual(2 - 1e-3);
      expect(recording).toMatch(/^1\d\d$/);
    });
  });

  it('is the same for the same seed and another for another', () => {
    expect(mix()).toEqual(mix());
    expect(mix({ seed: 5 }).events).not.toEqual(mix().events);
  });

  it('refuses more sounds than there is time for', () => {
    expect(() => mix({ events: 40 })).toThrow('40 sounds take');
  });
});

it('chooses the lowest threshold from which on all higher ones keep to the false alarms', () => {
  const at = (threshold: number, falseAlarmsPerHour: number) => ({ threshold, hits: 1, falseAlarmsPerHour });
  // Few reports at a low threshold may be one that never ends.
  expect(chooseThresholds([[at(0.1, 0), at(0.2, 3), at(0.3, 1), at(0.4, 0)]], 1)).toEqual([0.3]);
  expect(chooseThresholds([[at(0.1, 0), at(0.2, 0)]], 1)).toEqual([0.1]);
  expect(chooseThresholds([[at(0.1, 5), at(0.2, 5)]], 1)).toEqual([1]);
});
