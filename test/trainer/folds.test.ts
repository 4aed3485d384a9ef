import type { Dataset } from '../../services/trainer/dataset';
import { splitFolds } from '../../services/trainer/folds';

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
