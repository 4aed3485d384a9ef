import type { Dataset } from '../../services/trainer/data/dataset';
import { foldedBySource, foldsOf, hasFewSources, splitFolds } from '../../services/trainer/data/folds';

const dataset: Dataset = {
  classes: ['a', 'b'],
  foldsMade: false,
  warnings: [],
  others: [],
  clips: [1, 1, 2, 3, 4, 5, 5].map((fold, index) => ({
    filename: `${fold}-${index}.wav`,
    fold,
    source: String(index),
    label: index % 2,
    samples: new Float32Array(4),
  })),
  fingerprint: '0'.repeat(64),
};
const namesOf = (clips: readonly { readonly filename: string }[]): string[] =>
  clips.map((clip) => clip.filename);

describe('splitFolds', () => {
  it('tests on fold 1, validates on fold 2 and trains on the others, as the report does', () => {
    const split = splitFolds(dataset, { testFold: 1, validationFold: 2 });
    expect(namesOf(split.test)).toEqual(['1-0.wav', '1-1.wav']);
    expect(namesOf(split.validation)).toEqual(['2-2.wav']);
    expect(namesOf(split.train)).toEqual(['3-3.wav', '4-4.wav', '5-5.wav', '5-6.wav']);
    expect(split.protocol).toEqual({ testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] });
  });

  it.each([2, 3, 4, 5])('never lets a clip into two parts (validation fold %d)', (validationFold) => {
    const { train, validation, test } = splitFolds(dataset, { testFold: 1, validationFold });
    const all = namesOf([...train, ...validation, ...test]);
    expect(all.sort()).toEqual(namesOf(dataset.clips).sort());
  });

  it.each([
    [
      { testFold: 6, validationFold: 2 },
      'The test fold 6 is not in the dataset; it has the folds 1, 2, 3, 4, 5.',
    ],
    [
      { testFold: 1, validationFold: 0 },
      'The validation fold 0 is not in the dataset; it has the folds 1, 2, 3, 4, 5.',
    ],
    [
      { testFold: 1, validationFold: 1 },
      'Fold 1 cannot be both the test and the validation fold: the test would be what was selected by.',
    ],
  ])('refuses %j', (folds, message) => {
    expect(() => splitFolds(dataset, folds)).toThrow(message);
  });

  it('refuses a dataset of two folds', () => {
    const two = { ...dataset, clips: dataset.clips.filter((clip) => clip.fold < 3) };
    expect(() => splitFolds(two, { testFold: 1, validationFold: 2 })).toThrow('No fold is left to train on');
  });
});

describe('folds of a source each', () => {
  /** Clips of two classes, one of them with three sources; two clips of each source. */
  const fewOf = (sources: number): Dataset => ({
    ...dataset,
    foldsMade: true,
    clips: Array.from({ length: 2 * (sources + 3) }, (_, index) => {
      const source = Math.floor(index / 2);
      return {
        filename: `${source}-${index}.wav`,
        fold: 1 + (source % 3),
        source: String(source),
        label: source < 3 ? 0 : 1,
        samples: new Float32Array(4),
      };
    }),
  });

  it('are for folds that had to be made of too few recordings', () => {
    expect(hasFewSources(fewOf(5))).toBe(true);
    expect(hasFewSources({ ...fewOf(5), foldsMade: false })).toBe(false);
    expect(hasFewSources({ ...dataset, foldsMade: true })).toBe(false);
  });

  it('leave each source out once, whole, and the test fold as it is', () => {
    for (const testFold of [null, 2]) {
      const few = foldedBySource(fewOf(5), testFold);
      const others = few.clips.filter(({ fold }) => fold !== testFold);
      const sources = new Set(others.map(({ source }) => source));
      expect(foldsOf(others)).toHaveLength(sources.size);
      for (const validationFold of foldsOf(others)) {
        const { validation, train } = splitFolds(few, { testFold, validationFold });
        expect(new Set(validation.map(({ source }) => source)).size).toBe(1);
        expect(validation).toHaveLength(2);
        expect(train).toHaveLength(others.length - 2);
      }
      expect(namesOf(few.clips.filter(({ fold }) => fold === testFold))).toEqual(
        namesOf(fewOf(5).clips.filter(({ fold }) => fold === testFold)),
      );
    }
  });

  it('are 64 at most, and never hold two sources of the class with the fewest', () => {
    const { clips } = foldedBySource(fewOf(200), null);
    expect(foldsOf(clips)).toHaveLength(64);
    expect(foldsOf(clips.filter(({ label }) => label === 0))).toHaveLength(3);
  });
});
