import { availableParallelism } from 'node:os';
import { concatenate } from '../audio/concatenate';
import { inputLength, windowInputs } from '../audio/window-inputs';
import type { FrontEnd } from '../contracts/front-end';
import { outputsOf, type Network } from '../network/network';
import type { WeightValues } from '../registry/weights-file';
import type { LoadedEngine } from './load-engine';
import { createNativeEnsemble } from './native-ensemble';
import { createThreadedScorers, startMemberThread } from './member-threads';
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
  const outputs = outputsOf(network);
  const length = inputLength(frontEnd);
  // In its order: the calling thread's members first.
  const shares = shareOut(members, threadsFor(engine, members.length));
  const threads = shares.slice(1).map((some) => startMemberThread(engine.choice, network, some, length));
  const scorers = shares[0]!.map((values) => createScorer(network, values, engine, options));
  const judge = createThreadedScorers(scorers, threads, { inputLength: length, outputs });
  return {
    logits: (windows) => {
      const inputs = windows.map((window) => windowInputs(window, frontEnd));
      const all = inputs.flat();
      const logits = judge(concatenate(all, all.length * length), all.length);
      let next = 0;
      return inputs.map((views) => {
        const start = next;
        next += views.length;
        return logits.flatMap((scores) =>
          views.map((_, view) => scores.subarray((start + view) * outputs, (start + view + 1) * outputs)),
        );
      });
    },
    dispose: () => {
      for (const scorer of scorers) scorer.dispose();
      for (const thread of threads) thread.close();
    },
  };
}

/** WebAssembly computes a network on one thread: several networks get several. */
function threadsFor({ choice, kernels }: LoadedEngine, members: number): number {
  if (choice.kind !== 'wasm' || kernels !== undefined) return 1;
  return Math.min(members, choice.threads ?? availableParallelism());
}

/** Neighbours stay together, and no share has two more than another. */
function shareOut<T>(items: readonly T[], shares: number): T[][] {
  return Array.from({ length: shares }, (_, share) =>
    items.slice(
      Math.floor((share * items.length) / shares),
      Math.floor(((share + 1) * items.length) / shares),
    ),
  );
}
