import { headOutputs } from '../encoder/head-outputs';
import { independentProbabilities, sigmoid } from './independent-probabilities';

/**
 * What a version's networks say beside the logits of the classes, in the rows of their outputs. A network of `mel` may have one
 * output more than there are classes: the log-odds that what it hears is something like the training clips at all. A head on a
 * pretrained encoder has AudioSet's tags, and for each class the tag that tells it from the others.
 */

/** A row of outputs, of the classes alone. */
export function classLogits(outputs: Float32Array, classes: number): Float32Array {
  return outputs.length === classes ? outputs : outputs.subarray(0, classes);
}

/**
 * How much else than its probability speaks for each class, from 0 to 1: the mean over a window's inputs and a version's
 * networks.
 * @param rows outputs of each input of each network
 * @returns undefined where they are of the classes alone
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

/** Below this a tag's probability says nothing. */
const leastTagProbability = 1e-4;

/** AudioSet's tags are rare, so a probability of 1 % says much already: a logarithmic scale from 0.0001 to 1. */
function tagEvidence(probability: number): number {
  return 1 + Math.log10(Math.max(probability, leastTagProbability)) / -Math.log10(leastTagProbability);
}

/**
 * The probabilities of AudioSet's tags, which do not exclude each other: the mean over the rows.
 * @returns undefined where no encoder hears
 */
export function tagProbabilities(rows: readonly Float32Array[], classes: number): Float32Array | undefined {
  const { tags, length } = headOutputs(classes);
  if (rows[0]?.length !== length) return undefined;
  return independentProbabilities(rows.map((row) => row.subarray(tags)));
}
