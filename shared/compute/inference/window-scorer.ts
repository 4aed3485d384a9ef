import { inputLength } from '../../front-end/window-inputs';
import { withEqualWeight } from '../../decision/equal-weight';
import { createNativeEnsemble } from '../kernels/native-ensemble';
import type { Member } from '../network/members';
import type { LoadedEngine } from '../provide/load-engine';
import { createFrontEndInputs } from './front-end-inputs';
import { createScorer, type ScorerOptions } from './scorer';

/** Members of a version, ready to compute on the calling thread's engine. */
export interface WindowScorer {
  /**
   * @param windows mono at the front ends' rate, cut to their length
   * @returns for each window the logits of each of its inputs by each member, front end after front end;
   *   those of members that have fewer inputs than others are repeated, for an average over all rows
   */
  logits(windows: readonly Float32Array[]): Float32Array[][];
  dispose(): void;
}

/** @param members those with the same front end share what it computes of a window */
export function createWindowScorer(
  members: readonly Member[],
  engine: LoadedEngine,
  options: ScorerOptions = {},
): WindowScorer {
  const groups = [...new Set(members.map(({ frontEnd }) => frontEnd))].map((frontEnd) => {
    const own = members.filter((member) => member.frontEnd === frontEnd);
    return { members: own.length, scorer: createGroupScorer(own, engine, options) };
  });
  if (groups.length === 1) return groups[0]!.scorer;
  return {
    logits: (windows) => {
      const computed = groups.map((group) => ({ ...group, rows: group.scorer.logits(windows) }));
      return windows.map((_, window) =>
        withEqualWeight(
          computed.map(({ members: count, rows }) => ({ members: count, rows: rows[window]! })),
        ),
      );
    },
    dispose: () => {
      for (const { scorer } of groups) scorer.dispose();
    },
  };
}

/**
 * Members of one front end: with it in one call of the native kernels where the engine has them, else
 * one after the other.
 */
function createGroupScorer(
  members: readonly Member[],
  engine: LoadedEngine,
  options: ScorerOptions,
): WindowScorer {
  const native = engine.kernels && createNativeEnsemble(engine.kernels, members);
  if (native !== undefined) return native;
  const { frontEnd } = members[0]!;
  const length = inputLength(frontEnd);
  const scorers = members.map(({ network, values }) => createScorer(network, values, engine, options));
  const inputs = createFrontEndInputs(frontEnd, engine);
  return {
    logits: (windows) => {
      const { features, counts } = inputs.of(windows);
      const size = features.length / length;
      const logits = scorers.map((scorer) => scorer.logits(features, size));
      let next = 0;
      return counts.map((count) => {
        const start = next;
        next += count;
        return logits.flatMap((scores) => {
          const outputs = scores.length / size;
          return Array.from({ length: count }, (_, input) =>
            scores.subarray((start + input) * outputs, (start + input + 1) * outputs),
          );
        });
      });
    },
    dispose: () => {
      inputs.dispose();
      for (const scorer of scorers) scorer.dispose();
    },
  };
}
