import * as tf from '@tensorflow/tfjs-core';
import type { TransformerConfig } from '../../contracts/architecture';
import { attention } from './attention';
import { dropout } from './dropout';
import { layerNorm, layerNormParameters } from './layer-norm';
import { linear, linearLayer, linearParameters } from './linear';
import {
  withoutWeights,
  type LayerSummary,
  type Network,
  type Parameter,
  type TrainingMode,
  type Weights,
} from './network';
import { positionEncoding } from './position-encoding';
import { trunk, trunkLayers, trunkOutput, trunkParameters } from './trunk';

/** The report's table lists dropout in the encoder block alone. */
const trunkOptions = { dropout: 0, batchNorm: 'none' } as const;

const width = trunkOutput.channels;
/** The class token and one token a position of the trunk's output. */
const tokens = trunkOutput.positions + 1;
/** The report's prose says two, its table four and counts four. */
const attentionBlocks = ['attention1', 'attention2', 'attention3', 'attention4'] as const;

/**
 * The report's CombinedModel ("Architecture 2"): the trunk read as 2,250 tokens of width 16, a class
 * token in front, sinusoidal positions added, one encoder block (four attention blocks and a
 * feed-forward block, post-norm), linear to the classes on the class token.
 */
export function createTransformer(config: TransformerConfig, classes: number): Network {
  return {
    config,
    classes,
    outputs: classes,
    parameters: [
      ...trunkParameters(trunkOptions),
      { name: 'classToken', shape: [1, 1, width], initialisation: 'standard-normal', trainable: true },
      ...attentionBlocks.flatMap(attentionParameters),
      ...linearParameters('feedForward/in', width, config.hidden),
      ...linearParameters('feedForward/out', config.hidden, width),
      ...layerNormParameters('feedForward/norm', width),
      ...linearParameters('head', width, classes),
    ],
    forward: (weights, input, training) =>
      tf.tidy(() => {
        const sequence = embed(weights, trunk(weights, input, trunkOptions, training));
        const classToken = encode(weights, sequence, config, training);
        return linear(weights, classToken, 'head');
      }),
    layers: (batchSize) => [
      ...trunkLayers(batchSize, trunkOptions),
      { layer: 'class token', outputShape: [batchSize, tokens, width], ...withoutWeights, parameters: width },
      { layer: 'position encoding', outputShape: [batchSize, tokens, width], ...withoutWeights },
      ...attentionBlocks.flatMap((block) => attentionLayers(block, batchSize, config.heads)),
      linearLayer(
        `feed-forward ${width} → ${config.hidden}; ReLU`,
        [batchSize, tokens],
        width,
        config.hidden,
      ),
      linearLayer(`feed-forward ${config.hidden} → ${width}`, [batchSize, tokens], config.hidden, width),
      normLayer('feed-forward layer norm', batchSize),
      linearLayer(`linear ${width} → ${classes}`, [batchSize], width, classes),
    ],
  };
}

function attentionParameters(block: string): Parameter[] {
  return [
    ...['query', 'key', 'value', 'out'].flatMap((part) => linearParameters(`${block}/${part}`, width, width)),
    ...layerNormParameters(`${block}/norm`, width),
  ];
}

function attentionLayers(block: string, batchSize: number, heads: number): LayerSummary[] {
  const leading = [batchSize, tokens];
  return [
    ...['query', 'key', 'value', 'output'].map((part) =>
      linearLayer(
        `${block} ${part} 16 → 16${part === 'query' ? `, ${heads} head${heads === 1 ? '' : 's'}` : ''}`,
        leading,
        width,
        width,
      ),
    ),
    normLayer(`${block} layer norm`, batchSize),
  ];
}

function normLayer(layer: string, batchSize: number): LayerSummary {
  return {
    layer,
    outputShape: [batchSize, tokens, width],
    parameters: 2 * width,
    weightedOutputs: batchSize * tokens * width,
    multiplyAdds: batchSize * 2 * width,
  };
}

/** [B, 2250, 16] → [B, 2251, 16]: the class token in front, positions added. */
function embed(weights: Weights, maps: tf.Tensor3D): tf.Tensor3D {
  const classToken = tf.tile(weights['classToken'] as tf.Tensor3D, [maps.shape[0], 1, 1]);
  const positions = tf.tensor3d(positionEncoding(tokens, width), [1, tokens, width]);
  return tf.add(tf.concat([classToken, maps], 1), positions);
}

/**
 * The encoder block, of which only the class token's row is read: the last attention block therefore
 * asks with that one query, and the feed-forward block sees that one row. Exact, and a third less work.
 * @returns [B, 16]
 */
function encode(
  weights: Weights,
  sequence: tf.Tensor3D,
  config: TransformerConfig,
  training: TrainingMode | undefined,
): tf.Tensor2D {
  let hidden = sequence;
  for (const block of attentionBlocks) {
    const rows = block === attentionBlocks.at(-1) ? firstRow(hidden) : hidden;
    const attended = multiHeadAttention(weights, rows, hidden, block, config.heads);
    const dropped = dropout(attended, config.dropout, training, block);
    hidden = layerNorm(weights, tf.add(rows, dropped), `${block}/norm`);
  }
  const row = tf.reshape<tf.Rank.R2>(hidden, [hidden.shape[0], width]);
  const expanded = tf.relu(linear(weights, row, 'feedForward/in'));
  const fed = dropout(linear(weights, expanded, 'feedForward/out'), config.dropout, training, 'feedForward');
  return layerNorm(weights, tf.add<tf.Tensor2D>(row, fed), 'feedForward/norm');
}

function firstRow(sequence: tf.Tensor3D): tf.Tensor3D {
  return tf.slice(sequence, [0, 0, 0], [sequence.shape[0], 1, width]);
}

/**
 * @param rows [B, Tq, 16], which ask
 * @param sequence [B, T, 16], which answers
 * @returns [B, Tq, 16]
 */
function multiHeadAttention(
  weights: Weights,
  rows: tf.Tensor3D,
  sequence: tf.Tensor3D,
  block: string,
  heads: number,
): tf.Tensor3D {
  const project = (input: tf.Tensor3D, part: string): tf.Tensor4D => {
    const [batch, length] = input.shape;
    const flat = tf.reshape<tf.Rank.R2>(input, [batch * length, width]);
    const projected = linear(weights, flat, `${block}/${part}`);
    return tf.transpose(tf.reshape(projected, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
  };
  const attended = attention(project(rows, 'query'), project(sequence, 'key'), project(sequence, 'value'));
  const [batch, length] = rows.shape;
  const joined = tf.reshape<tf.Rank.R2>(tf.transpose(attended, [0, 2, 1, 3]), [batch * length, width]);
  return tf.reshape(linear(weights, joined, `${block}/out`), [batch, length, width]);
}
