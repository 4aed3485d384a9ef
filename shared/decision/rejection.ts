import { headOutputs } from '../encoder/head-outputs';
import { independentProbabilities, sigmoid } from './independent-probabilities';

/**
 * What the output rows of a version's networks contain beside the class logits. A `mel` network may have
 * one more output: the log-odds that the sound resembles the training clips at all. A head on a
 * pretrained encoder has the AudioSet tags and, for each class, the tag that tells it from the others.
 */

/** Returns the class logits of a row of outputs. */
export function classLogits(outputs: Float32Array, classes: number): Float32Array {
  return outputs.length === classes ? outputs : outputs.subarray(0, classes);
}

/**
 * Computes the evidence for each class beside its probability, from 0 to 1: the mean over a window's
 * inputs and a version's networks.
 * @param rows the outputs of each input of each network
 * @returns undefined where the rows hold class logits only
 */
export function evidenceOf(rows: readonly Float32Array[], classes: number): Float32Array | undefined {
  const length = rows[0]?.length ?? 0;
  if (length <= classes) return undefined;
  const { ownTags } = headOutputs(classes);
  const evidence = new Float32Array(classes);
  for (const row of rows) {
    for (let c = 0; c < classes; c++) {
      const value = length === classes + 1 ? sigmoid(row[classes]!) : tagEvidence(sigmoid(row[ownTags + c]!));
      evidence[c]! += value / rows.length;
    }
  }
  return evidence;
}

/** A tag probability at or below this gives no evidence. */
const minTagProbability = 1e-4;

/**
 * Maps a tag probability to evidence on a logarithmic scale from 0.0001 to 1. AudioSet tags are rare, so
 * a probability of 1 % is already strong evidence.
 */
function tagEvidence(probability: number): number {
  return 1 + Math.log10(Math.max(probability, minTagProbability)) / -Math.log10(minTagProbability);
}

/**
 * Returns the probabilities of the AudioSet tags, which do not exclude each other: the mean over the
 * rows.
 * @returns undefined for a version without the encoder
 */
export function tagProbabilities(rows: readonly Float32Array[], classes: number): Float32Array | undefined {
  const { tags, length } = headOutputs(classes);
  if (rows[0]?.length !== length) return undefined;
  return independentProbabilities(rows.map((row) => row.subarray(tags)));
}
