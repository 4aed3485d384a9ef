import { cutQuietEnds } from '../../shared/signal/quiet-ends';
import { createUniform } from '../../shared/runtime/random';

const rate = 32_000;

/** So many seconds of white noise at a level, dBFS. */
function noise(seconds: number, dbfs: number, seed: number): Float32Array {
  const uniform = createUniform(seed);
  const peak = Math.sqrt(3) * 10 ** (dbfs / 20);
  return Float32Array.from({ length: seconds * rate }, () => peak * (2 * uniform() - 1));
}

/** A sound of 0.3 s in the middle of 5 s of a room. */
function inRoom(soundDbfs: number, roomDbfs: number): Float32Array {
  const room = noise(5, roomDbfs, 1);
  room.set(noise(0.3, soundDbfs, 2), 2.5 * rate);
  return room;
}

describe('the sound of a window', () => {
  it.each([-10, -35, -48])(
    'of %d dBFS is what is left of the window, with a block on either side',
    (dbfs) => {
      const window = inRoom(dbfs, -70);
      const sound = cutQuietEnds(window, rate, -60);
      // It lasts from 2.5 to 2.8 s, in blocks of 50 ms.
      expect(sound).toEqual(window.slice(2.45 * rate, 2.85 * rate));
    },
  );

  it.each([
    ['a room without a sound', noise(5, -70, 3)],
    ['a sound that fills the window', noise(5, -30, 4)],
    ['a sound that hardly stands out', inRoom(-62, -70)],
    ['a loud room', inRoom(-20, -50)],
    ['silence', new Float32Array(5 * rate)],
    ['nothing', new Float32Array(0)],
  ])('is all of it where it is %s', (_what, window) => {
    expect(cutQuietEnds(window, rate, -60)).toBe(window);
  });

  it('holds what is quiet between two sounds', () => {
    const window = inRoom(-20, -70);
    window.set(noise(0.3, -20, 5), 4 * rate);
    expect(cutQuietEnds(window, rate, -60)).toEqual(window.slice(2.45 * rate, 4.35 * rate));
  });
});
