import { meanProbabilities } from '../decision/mean-probabilities';
import { crossEntropy } from './cross-entropy';

const golden = (Math.sqrt(5) - 1) / 2;
const [lowest, highest] = [0.05, 20];

/**
 * Returns the temperature that maximises the likelihood of the labels (Guo et al. 2017), by
 * golden-section search over its logarithm to 0.01 %.
 * @param logits for each clip the logits of each of its inputs
 */
export function fitTemperature(
  labels: readonly number[],
  logits: readonly (readonly Float32Array[])[],
): number {
  const loss = (logarithm: number): number =>
    crossEntropy(
      labels,
      logits.map((rows) => meanProbabilities(rows, Math.exp(logarithm))),
    );
  let [low, high] = [Math.log(lowest), Math.log(highest)];
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [leftLoss, rightLoss] = [loss(left), loss(right)];
  while (high - low > 1e-4) {
    if (leftLoss < rightLoss) {
      [high, right, rightLoss] = [right, left, leftLoss];
      left = high - golden * (high - low);
      leftLoss = loss(left);
    } else {
      [low, left, leftLoss] = [left, right, rightLoss];
      right = low + golden * (high - low);
      rightLoss = loss(right);
    }
  }
  return Math.exp((low + high) / 2);
}
