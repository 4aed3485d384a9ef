import {
  inputLength,
  inputsPerWindow,
  writeWindowInputs,
  type PlainFrontEnd,
} from '../../front-end/window-inputs';
import type { FrontEnd } from '../../contracts/front-end';
import { cutQuietEnds } from '../../signal/quiet-ends';
import { createEncoder } from './encoder';
import type { Inputs } from './graph-scorer';
import type { LoadedEngine } from '../provide/load-engine';

/** A front end: an encoder's is on the native kernels where the engine has them. */
export interface FrontEndInputs {
  /** @returns waits for what an engine computes beside this thread; to be called once */
  begin(windows: readonly Float32Array[]): () => Inputs;
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
      begin: (windows) => {
        // A window that has quiet around its sound has two inputs: whole, and the sound alone.
        const heard = windows.map((window) => {
          const sound = quietDbfs === undefined ? window : cutQuietEnds(window, sampleRate, quietDbfs);
          return sound === window ? [window] : [window, sound];
        });
        const counts = heard.map(({ length }) => length);
        const read = encoder.begin(heard.flat());
        return () => ({ features: read(), counts });
      },
      dispose: () => {
        encoder.dispose();
      },
    };
  }
  const inputsOf = createPlainInputs(frontEnd);
  return {
    begin: (windows) => {
      const inputs = inputsOf(windows);
      return () => inputs;
    },
    dispose: () => undefined,
  };
}

/** Of front ends without a network. */
function createPlainInputs(frontEnd: PlainFrontEnd): (windows: readonly Float32Array[]) => Inputs {
  const length = inputLength(frontEnd);
  // Kept from batch to batch: half a megabyte a window would otherwise be garbage.
  let memory = new Float32Array(0);
  return (windows) => {
    const most = windows.length * inputsPerWindow(frontEnd) * length;
    if (memory.length < most) memory = new Float32Array(most);
    let inputs = 0;
    const counts = windows.map((window) => {
      const count = writeWindowInputs(window, frontEnd, memory, inputs * length);
      inputs += count;
      return count;
    });
    return { features: memory.subarray(0, inputs * length), counts };
  };
}
