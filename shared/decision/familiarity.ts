/**
 * A network that judges familiarity has one output more than there are classes: the log-odds that what it hears is
 * something like the training clips, and not any other sound.
 */

/** A row of outputs without it. */
export function classLogits(outputs: Float32Array, classes: number): Float32Array {
  return outputs.length === classes ? outputs : outputs.subarray(0, classes);
}

/**
 * How familiar a window is, from 0 to 1: the mean over its inputs and a version's networks.
 * @param outputs of each input of each network; undefined where they are of the classes alone
 */
export function familiarityOf(outputs: readonly Float32Array[], classes: number): number | undefined {
  if (outputs[0]?.length !== classes + 1) return undefined;
  const sum = outputs.reduce((total, row) => total + 1 / (1 + Math.exp(-row[classes]!)), 0);
  return sum / outputs.length;
}
