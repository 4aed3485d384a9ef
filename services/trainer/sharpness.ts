import * as tf from '@tensorflow/tfjs-core';

type Tensors = Readonly<Record<string, tf.Tensor>>;

/**
 * The gradients where the loss is greatest within `radius` of the weights, to first order: sharpness-aware minimisation (Foret et
 * al. 2021, algorithm 1, with the Euclidean norm over all parameters). Following them leads to minima that are flat, which hold
 * for recordings that were not trained on.
 * @param gradients at the weights
 * @param gradientsThere computes them anew, with the weights moved
 * @returns the caller's to dispose of; the weights are where they were
 */
export function uphill(
  weights: Readonly<Record<string, tf.Variable>>,
  gradients: Tensors,
  radius: number,
  gradientsThere: () => Tensors,
): Tensors {
  const names = Object.keys(gradients);
  const start = names.map((name) => tf.clone(weights[name]!));
  tf.tidy(() => {
    const squares = names.map((name) => tf.sum(tf.square(gradients[name]!)));
    const norm = Math.sqrt(tf.addN(squares).dataSync<'float32'>()[0]!);
    for (const name of names) {
      weights[name]!.assign(tf.add(weights[name]!, tf.mul(gradients[name]!, radius / (norm + 1e-12))));
    }
  });
  const there = gradientsThere();
  names.forEach((name, index) => {
    weights[name]!.assign(start[index]!);
  });
  tf.dispose(start);
  return there;
}
