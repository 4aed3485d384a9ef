import { goldenClips } from '../front-end/golden-clips';
import type { Golden } from '../contracts/lifecycle';
import { windowFormat } from '../contracts/members';
import type { Inference } from '../compute/inference/inference';
import { AppError } from '../errors/app-error';
import type { Parity } from './gate';

/**
 * Computes the golden clips like windows of a recording, and compares the probabilities with those that
 * the trainer stored.
 * @throws AppError invalid-checkpoint when the stored ones are for other clips or classes
 */
export async function measureParity(
  inference: Pick<Inference, 'manifest' | 'infer'>,
  golden: Golden,
): Promise<Parity> {
  const { classes } = inference.manifest;
  const { sampleRate, windowSeconds } = windowFormat(inference.manifest);
  const clips = goldenClips(sampleRate, windowSeconds);
  let largestDifference = 0;
  for (const { name, samples } of clips) {
    const stored = golden.clips.find(({ clip }) => clip === name);
    if (stored?.probabilities.length !== classes.length) {
      throw new AppError(
        'invalid-checkpoint',
        'The golden probabilities are of other clips or other classes.',
      );
    }
    const answer = await inference.infer([samples]);
    const probabilities = answer.probabilities[0]!;
    const differences = stored.probabilities.map((expected, index) => expected - probabilities[index]!);
    const evidence = stored.evidence ?? stored.familiarity;
    if (evidence !== undefined) {
      const nearest = probabilities.indexOf(Math.max(...probabilities));
      differences.push(evidence - (answer.evidence?.[0]?.[nearest] ?? 1));
    }
    // NaN counts as the largest difference.
    for (const difference of differences.map(Math.abs)) {
      largestDifference = difference <= largestDifference ? largestDifference : difference;
    }
  }
  return { clips: clips.length, largestDifference: Number.isNaN(largestDifference) ? 1 : largestDifference };
}
