import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer, type Scorer } from '../../../shared/compute/inference/scorer';
import { ensembleParameters, joinMembers, splitMembers } from '../../../shared/compute/network/ensemble';
import {
  decodeWeights,
  encodeWeights,
  type EncodedWeights,
  type WeightsDtype,
  type WeightValues,
} from '../../../shared/registry/weights-file';
import type { TrainedRun } from '../optimise/train';
import { membersOf, type FoldNetworks } from './evaluation';

/** The members of a version, ready to judge clips. */
export interface OpenMembers {
  readonly encoded: EncodedWeights;
  /** By fold, with the weights as a reader of the written file has them. */
  readonly served: readonly (readonly Scorer[])[];
  /** By fold, with the weights as trained. */
  readonly exact: readonly (readonly Scorer[])[];
  /** By fold. */
  readonly peers: readonly (readonly Scorer[])[];
  dispose(): void;
}

/** @param weightsOf of a run those that are published */
export function openMembers(
  folds: readonly FoldNetworks[],
  weightsOf: (run: TrainedRun) => WeightValues,
  { dtype, engine }: { readonly dtype: WeightsDtype; readonly engine: LoadedEngine },
): OpenMembers {
  const members = membersOf(folds);
  const [{ network }] = members;
  const stored = { parameters: ensembleParameters(network, members.length) };
  const encoded = encodeWeights(stored, joinMembers(members.map(weightsOf)), dtype);
  const rounded = decodeWeights(stored, encoded.manifest, encoded.bytes);
  const open: Scorer[] = [];
  const scorerOf = (values: WeightValues): Scorer => {
    const scorer = createScorer(network, values, engine);
    open.push(scorer);
    return scorer;
  };
  const all = splitMembers(network, rounded, members.length).map(scorerOf);
  let next = 0;
  return {
    encoded,
    served: folds.map(({ networks }) => all.slice(next, (next += networks.length))),
    exact: folds.map(({ networks }) => networks.map((run) => scorerOf(weightsOf(run)))),
    peers: folds.map(({ peers }) => peers.map((run) => scorerOf(weightsOf(run)))),
    dispose: () => {
      for (const scorer of open) scorer.dispose();
    },
  };
}
