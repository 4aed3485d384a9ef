import { inputLength, inputsPerWindow, writeWindowInputs } from '../../front-end/window-inputs';
import type { FrontEnd } from '../../contracts/front-end';
import { cutQuietEnds } from '../../signal/quiet-ends';
import { createEncoder } from './encoder';
import type { LoadedEngine } from '../provide/load-engine';

/** What networks are given of some windows. */
interface Inputs {
  /**
   * One input of `inputLength(frontEnd)` after the other, window after window; overwritten by the next
   * call.
   */
  readonly features: Float32Array;
  /** How many inputs each window has. */
  readonly counts: readonly number[];
}

/** A front end, computed on the calling thread's engine. */
export interface FrontEndInputs {
  of(windows: readonly Float32Array[]): Inputs;
  dispose(): void;
}

/**
 * @throws AppError engine-unavailable where the front end wants an encoder that the engine was loaded
 *   without
 */
export function createFrontEndInputs(frontEnd: FrontEnd, engine: LoadedEngine): FrontEndInputs {
  if (frontEnd.kind === 'encoder') {
    const encoder = createEncoder(engine);
    const { sampleRate, quietDbfs } = frontEnd;
    return {
      of: (windows) => {
        // A window that has quiet around its sound has two inputs: whole, and the sound alone.
        const heard = windows.map((window) => {
          const sound = quietDbfs === undefined ? window : cutQuietEnds(window, sampleRate, quietDbfs);
          return sound === window ? [window] : [window, sound];
        });
        return { features: encoder.encode(heard.flat()), counts: heard.map(({ length }) => length) };
      },
      dispose: () => {
        encoder.dispose();
      },
    };
  }
  const length = inputLength(frontEnd);
  // Kept from batch to batch: half a megabyte a window would otherwise be garbage.
  let memory = new Float32Array(0);
  return {
    of: (windows) => {
      const most = windows.length * inputsPerWindow(frontEnd) * length;
      if (memory.length < most) memory = new Float32Array(most);
      let inputs = 0;
      const counts = windows.map((window) => {
        const count = writeWindowInputs(window, frontEnd, memory, inputs * length);
        inputs += count;
        return count;
      });
      return { features: memory.subarray(0, inputs * length), counts };
    },
    dispose: () => undefined,
  };
}
