import { encoderParameters } from '../../shared/compute/network/encoder-weights';
import { elementCount, type WeightArrays } from '../../shared/compute/network/network';
import { createUniform } from '../../shared/runtime/random';

/**
 * Weights of an encoder that nobody trained: of a size that keeps the maps in the range of a trained
 * one's.
 */
export function randomEncoderWeights(seed: number): WeightArrays {
  const uniform = createUniform(seed);
  return Object.fromEntries(
    encoderParameters.map(({ name, shape }) => {
      const inputs = elementCount(shape.slice(0, -1));
      const bound = name.endsWith('/bias') ? 0.2 : Math.sqrt(5 / inputs);
      return [name, Float32Array.from({ length: elementCount(shape) }, () => bound * (2 * uniform() - 1))];
    }),
  );
}
