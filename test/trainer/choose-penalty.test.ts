import { usualPenalty } from '../../services/trainer/recipes/encoder-head';
import { choosePenalty, type JudgedClip } from '../../services/trainer/heads/choose-penalty';
import { createUniform } from '../../shared/runtime/random';

/** Clips of two classes: the first feature tells them apart, more or less; the others are chance. */
function clipsOf(folds: readonly number[], noise: number, seed = 1): JudgedClip[] {
  const uniform = createUniform(seed);
  return folds.flatMap((fold, take) =>
    [0, 1].map((label) => ({
      label,
      fold,
      source: `${label}-${take}`,
      features: [
        Float32Array.from({ length: 12 }, (_, i) =>
          i === 0 ? label + noise * (uniform() - 0.5) : uniform(),
        ),
      ],
    })),
  );
}

const folds = [2, 3, 4].flatMap((fold) => new Array<number>(6).fill(fold));

describe('the penalty of a head', () => {
  it('is small where what is learnt holds, and the usual one where clips do not tell', () => {
    const clear = choosePenalty({ training: clipsOf(folds, 0.3), validation: [], classes: 2 });
    expect(clear.penalty).toBeLessThan(usualPenalty);
    expect(clear.penaltyChosenBy).toBe('training folds in turn');
    const unclear = choosePenalty({ training: clipsOf(folds, 6), validation: [], classes: 2 });
    expect(unclear.penalty).toBe(usualPenalty);
  });

  it('is chosen on the validation fold where there is one to choose by', () => {
    const training = clipsOf(folds, 1.2);
    // Those clips are the training clips: nothing is lost by following them closely.
    const alike = choosePenalty({ training, validation: training, classes: 2 });
    expect(alike).toEqual({ penalty: 10, penaltyChosenBy: 'validation fold' });
  });

  it('is chosen recording by recording where one fold trains, and not at all where a class has one recording', () => {
    const one = choosePenalty({ training: clipsOf([3, 3, 3], 0.5), validation: [], classes: 2 });
    expect(one.penaltyChosenBy).toBe('training recordings in turn');
    const none = choosePenalty({ training: clipsOf([3], 0.5), validation: [], classes: 2 });
    expect(none).toEqual({ penalty: usualPenalty, penaltyChosenBy: 'nothing: too few recordings' });
  });
});
