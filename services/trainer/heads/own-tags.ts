import { sigmoid } from '../../../shared/decision/independent-probabilities';
import { encoderTags } from '../../../shared/encoder/mobile-net';

/** A tag whose mean probability over a class's clips is lower is not heard in them. */
const leastProbability = 0.05;

/**
 * For each class the AudioSet tag that tells it from the others best: the one whose mean log-odds over
 * the class's clips stand highest above its mean in any other class, among the tags that are heard in
 * the class at all. Names play no part, so it works for classes that AudioSet does not have.
 * @param tagLogits of each clip, [527]
 * @param labels of each clip; every class has one clip at least
 */
export function ownTagsOf(
  tagLogits: readonly Float32Array[],
  labels: readonly number[],
  classes: number,
): number[] {
  const means = Array.from({ length: classes }, (_, label) => {
    const rows = tagLogits.filter((_row, clip) => labels[clip] === label);
    return {
      logOdds: meanOf(rows, (logit) => logit),
      probability: meanOf(rows, sigmoid),
    };
  });
  return means.map(({ logOdds, probability }, label) => {
    const others = means.filter((_mean, other) => other !== label);
    const lead = Float64Array.from(
      logOdds,
      (value, tag) => value - Math.max(...others.map((other) => other.logOdds[tag]!)),
    );
    return bestTag(lead, probability);
  });
}

/** The heard tag with the highest lead; where none is heard, the likeliest. */
function bestTag(lead: Float64Array, probability: Float64Array): number {
  const tags = Array.from(lead, (_value, tag) => tag);
  const heard = tags.filter((tag) => probability[tag]! > leastProbability);
  const highest = (among: readonly number[], value: Float64Array): number =>
    among.reduce((best, tag) => (value[tag]! > value[best]! ? tag : best));
  return heard.length === 0 ? highest(tags, probability) : highest(heard, lead);
}

function meanOf(rows: readonly Float32Array[], value: (logit: number) => number): Float64Array {
  const mean = new Float64Array(encoderTags);
  for (const row of rows) row.forEach((logit, tag) => (mean[tag]! += value(logit) / rows.length));
  return mean;
}
