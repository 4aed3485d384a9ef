import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { joinWeights, splitWeights, storedParameters } from '../../../shared/compute/network/members';
import {
  decodeWeights,
  encodeWeights,
  type EncodedWeights,
  type WeightsDtype,
  type WeightValues,
} from '../../../shared/registry/weights-file';
import type { MemberScorer } from '../optimise/predict';
import type { TrainedRun } from '../optimise/train';
import { membersOf, type FoldNetworks } from './evaluation';

/** The members of a version, ready to judge clips. */
export interface OpenMembers {
  readonly encoded: EncodedWeights;
  /** The members of each fold, with the weights as they are read from the written file. */
  readonly served: readonly (readonly MemberScorer[])[];
  /** The members of each fold, with the weights as trained. */
  readonly exact: readonly (readonly MemberScorer[])[];
  /** The other members of each fold. */
  readonly peers: readonly (readonly MemberScorer[])[];
  dispose(): void;
}

/** @param weightsOf of a run those that are published */
export function openMembers(
  folds: readonly FoldNetworks[],
  weightsOf: (run: TrainedRun) => WeightValues,
  { dtype, engine }: { readonly dtype: WeightsDtype; readonly engine: LoadedEngine },
): OpenMembers {
  const members = membersOf(folds);
  const networks = members.map(({ network }) => network);
  const stored = { parameters: storedParameters(networks) };
  const encoded = encodeWeights(stored, joinWeights(members.map(weightsOf)), dtype);
  const rounded = decodeWeights(stored, encoded.manifest, encoded.bytes);
  const open: MemberScorer[] = [];
  const openWith = ({ frontEnd, network }: TrainedRun, values: WeightValues): MemberScorer => {
    const member = { frontEnd, scorer: createScorer(network, values, engine) };
    open.push(member);
    return member;
  };
  const all = splitWeights(networks, rounded).map((values, index) => openWith(members[index]!, values));
  let next = 0;
  return {
    encoded,
    served: folds.map(({ networks: own }) => all.slice(next, (next += own.length))),
    exact: folds.map(({ networks: own }) => own.map((run) => openWith(run, weightsOf(run)))),
    peers: folds.map(({ peers }) => peers.map((run) => openWith(run, weightsOf(run)))),
    dispose: () => {
      for (const { scorer } of open) scorer.dispose();
    },
  };
}
