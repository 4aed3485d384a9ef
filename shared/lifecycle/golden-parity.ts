import { goldenClips } from '../audio/golden-clips';
import type { Golden } from '../contracts/lifecycle';
import type { Inference } from '../engine/inference';
import { AppError } from '../errors/app-error';
import type { Parity } from './gate';

/**
 * Computes the golden clips as a recording's windows are computed, and compares with what the trainer stored.
 * @throws AppError invalid-checkpoint when what is stored is of other clips or classes
 */
export async function measureParity(
  inference: Pick<Inference, 'manifest' | 'infer'>,
  golden: Golden,
): Promise<Parity> {
  const { frontEnd, classes } = inference.manifest;
  const clips = goldenClips(frontEnd.sampleRate, frontEnd.windowSeconds);
  const stored = clips.map(({ name }) => golden.clips.find(({ clip }) => clip === name)?.probabilities);
  let largestDifference = 0;
  for (const [index, { samples }] of clips.entries()) {
    const expected = stored[index];
    if (expected?.length !== classes.length) {
      throw new AppError(
        'invalid-checkpoint',
        'The golden probabilities are of other clips or other classes.',
      );
    }
    const { probabilities } = await inference.infer([samples]);
    for (const [position, probability] of expected.entries()) {
      const difference = Math.abs(probability - probabilities[0]![position]!);
      // A NaN is as far off as can be.
      largestDifference = difference <= largestDifference ? largestDifference : difference;
    }
  }
  return { clips: clips.length, largestDifference: Number.isNaN(largestDifference) ? 1 : largestDifference };
}
