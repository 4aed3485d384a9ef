import * as tf from '@tensorflow/tfjs-core';
import type { CnnConfig } from '../../contracts/architecture';
import { linear, linearLayer, linearParameters } from './linear';
import type { Network } from './network';
import { trunk, trunkLayers, trunkOutput, trunkParameters } from './trunk';

const features = trunkOutput.positions * trunkOutput.channels;
const hidden = 128;

/** The report's Conv1DNet ("Architecture 1"): the trunk, flattened, linear 36,000 → 128 → classes. */
export function createCnn(config: CnnConfig, classes: number): Network {
  return {
    config,
    classes,
    outputs: classes,
    parameters: [
      ...trunkParameters(config),
      ...linearParameters('dense1', features, hidden),
      ...linearParameters('dense2', hidden, classes),
    ],
    forward: (weights, input, training) =>
      tf.tidy(() => {
        const maps = trunk(weights, input, config, training);
        // Channel by channel, as PyTorch flattens [16, 2250].
        const flat = tf.reshape<tf.Rank.R2>(tf.transpose(maps, [0, 2, 1]), [input.shape[0], features]);
        return linear(weights, tf.relu(linear(weights, flat, 'dense1')), 'dense2');
      }),
    layers: (batchSize) => [
      ...trunkLayers(batchSize, config),
      linearLayer('flatten 36,000 → linear 128; ReLU', [batchSize], features, hidden),
      linearLayer(`linear 128 → ${classes}`, [batchSize], hidden, classes),
    ],
  };
}
