import { smallBands } from '../../../shared/encoder/small-picture';
import { between, type Uniform } from '../outliers/taught/synthesis';

/** What the encoder's front end gives of silence (shared/front-end/kaldi-mel.ts). */
const silence = (Math.log(1e-5) + 4.5) / 5;
/** A picture's unit in decibels: it is (ln(power) + 4.5) / 5. */
const unitDecibels = 50 / Math.LN10;
/** An equaliser's points, evenly spread over the bands, and how far it raises or lowers each. */
const equaliserPoints = 5;
const equaliserDb = 4;
/** How often a recording's upper bands are missing, and the first of those that may be. */
const cutShare = 0.15;
const lowestCut = 28;

/**
 * Changes small pictures as other microphones would: an equaliser, and for some an upper limit of their
 * frequencies. The larger encoder hears the sounds without them.
 * @param picture [frames][64], overwritten
 */
export function augmentPicture(picture: Float32Array, uniform: Uniform): void {
  const points = Array.from(
    { length: equaliserPoints },
    () => between(uniform, -equaliserDb, equaliserDb) / unitDecibels,
  );
  const limit =
    uniform() < cutShare ? lowestCut + Math.floor(uniform() * (smallBands - lowestCut)) : smallBands;
  for (let band = 0; band < smallBands; band++) {
    const position = (band * (equaliserPoints - 1)) / (smallBands - 1);
    const before = Math.min(equaliserPoints - 2, Math.floor(position));
    const gain = points[before]! + (points[before + 1]! - points[before]!) * (position - before);
    for (let at = band; at < picture.length; at += smallBands) {
      picture[at] = band < limit ? Math.max(silence, picture[at]! + gain) : silence;
    }
  }
}
