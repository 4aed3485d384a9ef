import audioSetLabels from '../../shared/encoder/audioset-labels.json';
import { encoderTags } from '../../shared/encoder/mobile-net';
import { chooseThresholds, type TaggedClip } from '../../services/trainer/tags/choose-thresholds';
import { matchTag } from '../../services/trainer/tags/match-tag';

describe('the AudioSet class that a category names', () => {
  it.each([
    ['dog', 'Dog'],
    ['Sea_waves', undefined],
    ['rooster', 'Chicken, rooster'],
    ['Chicken, Rooster', 'Chicken, rooster'],
    ['birds', 'Bird'],
    ['footsteps', 'Walk, footsteps'],
    ['fridge', undefined],
  ])('%s: %s', (category, label) => {
    const tag = matchTag(category);
    expect(tag === undefined ? undefined : audioSetLabels[tag]!.label).toBe(label);
  });
});

describe('thresholds', () => {
  const clip = (
    tag: number,
    source: number,
    probabilities: Readonly<Record<number, number>>,
  ): TaggedClip => ({
    tag,
    source: String(source),
    probabilities: Float32Array.from({ length: encoderTags }, (_, index) => probabilities[index] ?? 0),
  });

  it('are where a class is told from the others best, and one for all classes of few recordings', () => {
    // Tag 3 is heard at 0.6 in its own clips and at 0.4 in others; tag 8 at 0.3 and not elsewhere.
    const own = Array.from({ length: 6 }, (_, source) => clip(3, source, { 3: 0.6 }));
    const others = Array.from({ length: 6 }, (_, source) => clip(8, 10 + source, { 3: 0.4, 8: 0.3 }));
    const few = [clip(20, 30, { 20: 0.5 }), clip(20, 30, { 20: 0.5 })];
    const { thresholds, usual, own: named } = chooseThresholds([...own, ...others, ...few]);
    expect(thresholds).toHaveLength(encoderTags);
    expect([...named].sort((a, b) => a - b)).toEqual([3, 8]);
    expect(thresholds[3]).toBeGreaterThan(0.4);
    expect(thresholds[3]).toBeLessThanOrEqual(0.6);
    expect(thresholds[8]).toBeLessThanOrEqual(0.3);
    // Two recordings of one source do not decide; nor is there anything of the rest.
    expect([thresholds[20], thresholds[100]]).toEqual([usual, usual]);
  });

  it('are assumed without any recording', () => {
    expect(chooseThresholds([])).toMatchObject({ usual: 0.2, own: [] });
  });
});
