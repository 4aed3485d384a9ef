import { loadMembers } from '../../../shared/compute/inference/load-members';
import { createScorer } from '../../../shared/compute/inference/scorer';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { Version } from '../../../shared/registry/registry';
import type { MemberScorer } from '../optimise/predict';

/**
 * The members of a published version, with the weights that are served, in the version's order.
 * @returns scorers, which the caller disposes
 */
export async function loadScorers(version: Version, engine: LoadedEngine): Promise<MemberScorer[]> {
  const members = await loadMembers(version);
  return members.map(({ frontEnd, network, values }) => ({
    frontEnd,
    scorer: createScorer(network, values, engine),
  }));
}
