import { headOutputs } from '../encoder/head-outputs';
import { independentProbabilities, sigmoid } from './independent-probabilities';

/**
 * What the output rows of a version's networks contain beside the class logits: those of a head on an
 * encoder hold the AudioSet tags and, for each class, the tag that tells it from the others.
 */

/** Returns the class logits of a row of outputs. */
export function classLogits(outputs: Float32Array, classes: number): Float32Array {
  return outputs.length === classes ? outputs : outputs.subarray(0, classes);
}

/**
 * Computes the evidence for each class beside its probability, from 0 to 1: the mean over a window's
 * inputs and those of a version's networks that judge it.
 * @param outputs of each input of each network
 * @returns undefined where they hold class logits only
 */
export function evidenceOf(outputs: readonly Float32Array[], classes: number): Float32Array | undefined {
  const rows = outputs.filter(({ length }) => length > classes);
  if (rows.length === 0) return undefined;
  const { ownTags } = headOutputs(classes);
  const evidence = new Float32Array(classes);
  for (const row of rows) {
    for (let c = 0; c < classes; c++) {
      evidence[c]! += tagEvidence(sigmoid(row[ownTags + c]!)) / rows.length;
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
 * rows that have them.
 * @returns undefined for a version without the encoder
 */
export function tagProbabilities(
  outputs: readonly Float32Array[],
  classes: number,
): Float32Array | undefined {
  const { tags, length: tagged } = headOutputs(classes);
  const rows = outputs.filter(({ length }) => length === tagged);
  if (rows.length === 0) return undefined;
  return independentProbabilities(rows.map((row) => row.subarray(tags)));
}
