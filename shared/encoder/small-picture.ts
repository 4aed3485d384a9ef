import { encoderBands } from './mobile-net';

/** Bands of the small encoder's picture, half of the large one's. */
export const smallBands = encoderBands / 2;

/**
 * Halves a picture of the encoder's front end in both directions: each value is the mean of two bands in
 * two frames. An odd last frame is left out.
 * @param picture [frames][128]
 * @returns [frames / 2][64]
 */
export function smallPicture(picture: Float32Array): Float32Array {
  const frames = Math.floor(picture.length / (2 * encoderBands));
  const small = new Float32Array(frames * smallBands);
  for (let frame = 0; frame < frames; frame++) {
    for (let band = 0; band < smallBands; band++) {
      const at = 2 * (frame * encoderBands + band);
      const [first, next] = [at, at + encoderBands];
      const sum = picture[first]! + picture[next]! + picture[first + 1]! + picture[next + 1]!;
      small[frame * smallBands + band] = sum * 0.25;
    }
  }
  return small;
}
