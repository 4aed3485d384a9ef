import * as tf from '@tensorflow/tfjs-core';

const [beta1, beta2] = [0.9, 0.999];
const epsilon = 1e-8;

/** First and second moment of a parameter's gradient. */
export interface Moments {
  readonly first: tf.Variable;
  readonly second: tf.Variable;
}

/**
 * One step of Adam (Kingma and Ba 2015, algorithm 1), in place. tfjs's own optimiser restores its state
 * only to rounding, so that a resumed run would drift; here the state is the moments and the step
 * number, and nothing else.
 *
 * @param step 1 for the first
 */
export function adamStep(
  parameter: tf.Variable,
  gradient: tf.Tensor,
  { first, second }: Moments,
  learningRate: number,
  step: number,
): void {
  tf.tidy(() => {
    const newFirst = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
    const newSecond = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.sqrt(tf.div(newSecond, 1 - beta2 ** step)), epsilon);
    const change = tf.div(tf.mul(newFirst, learningRate / (1 - beta1 ** step)), denominator);
    parameter.assign(tf.sub(parameter, change));
    first.assign(newFirst);
    second.assign(newSecond);
  });
}
