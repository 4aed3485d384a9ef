import { inputLength } from '../../front-end/window-inputs';
import { viewsOf, type FrontEnd, type View } from '../../contracts/front-end';
import { withEqualWeight } from '../../decision/equal-weight';
import type { Network } from '../network/network';
import type { WeightValues } from '../../registry/weights-file';
import type { LoadedEngine } from '../provide/load-engine';
import { createNativeEnsemble } from '../kernels/native-ensemble';
import { createScorer, type ScorerOptions } from './scorer';
import { createViewInputs } from './view-inputs';

/** All networks of a version behind its front end, ready to compute on the calling thread's engine. */
export interface WindowScorer {
  /**
   * @param windows mono at the front end's rate, cut to its length
   * @returns for each window the logits of each of its inputs by each member, view after view; a view
   *   that gives fewer than others has them repeated, for an average over all
   */
  logits(windows: readonly Float32Array[]): Float32Array[][];
  dispose(): void;
}

/**
 * @param members take turns at the front end's views, as many at each (shared/contracts/front-end.ts)
 */
export function createWindowScorer(
  network: Network,
  members: readonly WeightValues[],
  frontEnd: FrontEnd,
  engine: LoadedEngine,
  options: ScorerOptions = {},
): WindowScorer {
  const views = viewsOf(frontEnd);
  const scorers = views.map((view, turn) => {
    const its = members.filter((_, member) => member % views.length === turn);
    return createViewScorer(network, its, view, engine, options);
  });
  if (scorers.length === 1) return scorers[0]!;
  return {
    logits: (windows) => {
      const byView = scorers.map((scorer) => scorer.logits(windows));
      return windows.map((_, window) => withEqualWeight(byView.map((rows) => rows[window]!)));
    },
    dispose: () => {
      for (const scorer of scorers) scorer.dispose();
    },
  };
}

/**
 * View and networks in one call of the native kernels where the engine has them, else one after the
 * other.
 */
function createViewScorer(
  network: Network,
  members: readonly WeightValues[],
  view: View,
  engine: LoadedEngine,
  options: ScorerOptions,
): WindowScorer {
  const native = engine.kernels && createNativeEnsemble(engine.kernels, network, members, view);
  if (native !== undefined) return native;
  const { outputs } = network;
  const length = inputLength(view);
  const scorers = members.map((values) => createScorer(network, values, engine, options));
  const viewInputs = createViewInputs(view, engine);
  return {
    logits: (windows) => {
      const { features, counts } = viewInputs.of(windows);
      const logits = scorers.map((scorer) => scorer.logits(features, features.length / length));
      let next = 0;
      return counts.map((count) => {
        const start = next;
        next += count;
        return logits.flatMap((scores) =>
          Array.from({ length: count }, (_, input) =>
            scores.subarray((start + input) * outputs, (start + input + 1) * outputs),
          ),
        );
      });
    },
    dispose: () => {
      viewInputs.dispose();
      for (const scorer of scorers) scorer.dispose();
    },
  };
}
