import { isHead } from '../../contracts/architecture';
import { inputLength } from '../../front-end/window-inputs';
import { withEqualWeight } from '../../decision/equal-weight';
import { isOnKernels } from '../kernels/is-native';
import type { Member } from '../network/members';
import type { LoadedEngine } from '../provide/load-engine';
import { createFrontEndInputs } from './front-end-inputs';
import { createGraphScorer } from './graph-scorer';
import { createScorer, type ScorerOptions } from './scorer';

/**
 * Of each window the logits of each of its inputs by each member, front end after front end; those of
 * members that have fewer inputs than others are repeated, for an average over all rows.
 */
export type WindowLogits = Float32Array[][];

/** Begins to compute windows. @returns waits for their logits; to be called once */
type Begin = (windows: readonly Float32Array[]) => () => WindowLogits;

/** Members of a version, ready to compute on the calling thread's engine. */
export interface WindowScorer {
  /**
   * Begins to compute: the inputs are made, and an engine that computes beside this thread goes on with
   * them, so that the next windows' inputs can be made before the answer is waited for.
   * @param windows mono at the front ends' rate, cut to their length
   * @returns waits for the answer; to be called once
   */
  begin(windows: readonly Float32Array[]): () => WindowLogits;
  /** Begins and waits. */
  logits(windows: readonly Float32Array[]): WindowLogits;
  dispose(): void;
}

/** Members of one front end, or several such groups whose rows come group by group. */
interface Group {
  readonly begin: (windows: readonly Float32Array[]) => () => readonly WindowLogits[];
  /** How many members each has. */
  readonly members: readonly number[];
  readonly dispose: () => void;
}

/** @param members those with the same front end share what it computes of a window */
export function createWindowScorer(
  members: readonly Member[],
  engine: LoadedEngine,
  options: ScorerOptions = {},
): WindowScorer {
  const byFrontEnd = [...new Set(members.map(({ frontEnd }) => frontEnd))].map((frontEnd) =>
    members.filter((member) => member.frontEnd === frontEnd),
  );
  const isGraph = (own: readonly Member[]): boolean => own.every((member) => isOnTensorflow(member, engine));
  const inGraph = byFrontEnd.filter(isGraph);
  const groups = [
    ...byFrontEnd.filter((own) => !isGraph(own)).map((own) => createGroup(own, engine, options)),
    ...(inGraph.length === 0 ? [] : [createGraphGroups(inGraph, engine)]),
  ];
  const begin: Begin = (windows) => {
    const reads = groups.map((group) => group.begin(windows));
    return () =>
      joinGroups(
        groups,
        reads.map((read) => read()),
      );
  };
  return {
    begin,
    logits: (windows) => begin(windows)(),
    dispose: () => {
      for (const group of groups) group.dispose();
    },
  };
}

/** Whether TensorFlow.js computes it: not the kernels, and not a head on an encoder (plain arithmetic). */
function isOnTensorflow({ network: { config } }: Member, { kernels }: LoadedEngine): boolean {
  return !isHead(config) && !isOnKernels(kernels, config);
}

/** The rows of each window by each group, as rows of the window. */
function joinGroups(groups: readonly Group[], computed: readonly (readonly WindowLogits[])[]): WindowLogits {
  const byGroup = groups.flatMap(({ members }, index) =>
    members.map((count, place) => ({ members: count, rows: computed[index]![place]! })),
  );
  if (byGroup.length === 1) return byGroup[0]!.rows;
  return byGroup[0]!.rows.map((_, window) =>
    withEqualWeight(byGroup.map(({ members, rows }) => ({ members, rows: rows[window]! }))),
  );
}

/** Members on TensorFlow.js, each group with a front end of its own: one graph for all. */
function createGraphGroups(groups: readonly (readonly Member[])[], engine: LoadedEngine): Group {
  const inputs = groups.map((own) => createFrontEndInputs(own[0]!.frontEnd, engine));
  const graph = createGraphScorer(groups);
  return {
    members: groups.map(({ length }) => length),
    begin: (windows) => {
      const made = inputs.map((frontEnd) => frontEnd.begin(windows)());
      const counts = made.map((ofGroup) => ofGroup.counts);
      const read = graph.begin(made);
      return () => read().map((logits, group) => rowsByWindow(logits, counts[group]!));
    },
    dispose: () => {
      for (const frontEnd of inputs) frontEnd.dispose();
      graph.dispose();
    },
  };
}

/** Members of one front end that the kernels compute, or that are plain arithmetic, one after the other. */
function createGroup(members: readonly Member[], engine: LoadedEngine, options: ScorerOptions): Group {
  const { frontEnd } = members[0]!;
  const length = inputLength(frontEnd);
  const scorers = members.map(({ network, values }) => createScorer(network, values, engine, options));
  const inputs = createFrontEndInputs(frontEnd, engine);
  return {
    members: [members.length],
    begin: (windows) => {
      const read = inputs.begin(windows);
      return () => {
        const { features, counts } = read();
        const size = features.length / length;
        const logits = scorers.map((scorer) => scorer.logits(features, size));
        return [rowsByWindow(logits, counts)];
      };
    },
    dispose: () => {
      inputs.dispose();
      for (const scorer of scorers) scorer.dispose();
    },
  };
}

/** @param logits of each member [inputs, outputs] @param counts how many inputs each window has */
function rowsByWindow(logits: readonly Float32Array[], counts: readonly number[]): WindowLogits {
  const size = counts.reduce((sum, count) => sum + count, 0);
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
}
