import { inputLength, windowInputs } from '../audio/window-inputs';
import type { FrontEnd } from '../contracts/front-end';
import type { Network } from '../network/network';
import type { WeightValues } from '../registry/weights-file';
import type { LoadedEngine } from './load-engine';
import { createNativeEnsemble } from './native-ensemble';
import { createScorer, type ScorerOptions } from './scorer';

/** All networks of a version behind its front end, ready to compute on the calling thread's engine. */
export interface WindowScorer {
  /**
   * @param windows mono at the front end's rate, cut to its length
   * @returns for each window the logits of each of its inputs by each member
   */
  logits(windows: readonly Float32Array[]): Float32Array[][];
  dispose(): void;
}

/** Front end and networks in one call of the native kernels where the engine has them, else one after the other. */
export function createWindowScorer(
  network: Network,
  members: readonly WeightValues[],
  frontEnd: FrontEnd,
  engine: LoadedEngine,
  options: ScorerOptions = {},
): WindowScorer {
  const native = engine.kernels && createNativeEnsemble(engine.kernels, network, members, frontEnd);
  if (native !== undefined) return native;
  const scorers = members.map((values) => createScorer(network, values, engine, options));
  const classes = network.parameters.at(-1)!.shape[0]!;
  const length = inputLength(frontEnd);
  return {
    logits: (windows) => {
      const inputs = windows.map((window) => windowInputs(window, frontEnd));
      const all = inputs.flat();
      const features = new Float32Array(all.length * length);
      all.forEach((input, index) => {
        features.set(input, index * length);
      });
      const logits = scorers.map((scorer) => scorer.logits(features, all.length));
      let next = 0;
      return inputs.map((views) => {
        const start = next;
        next += views.length;
        return logits.flatMap((scores) =>
          views.map((_, view) => scores.subarray((start + view) * classes, (start + view + 1) * classes)),
        );
      });
    },
    dispose: () => {
      for (const scorer of scorers) scorer.dispose();
    },
  };
}
