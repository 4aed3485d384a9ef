import type { FrontEnd } from '../../contracts/front-end';
import type { Composition } from '../../contracts/members';
import { createNetwork } from './create-network';
import type { Network, Parameter, WeightArrays } from './network';

/** A member of a version without its weights. Members with equal settings share both objects. */
export interface MemberForm {
  readonly frontEnd: FrontEnd;
  readonly network: Network;
}

/** A member of a version: what a network is given, the network, and its weights. */
export interface Member extends MemberForm {
  readonly values: WeightArrays;
}

/** The members of a version that answers in so many classes, in its order. */
export function memberForms({ frontEnds, members }: Composition, classes: number): MemberForm[] {
  const networks = new Map<string, Network>();
  return members.map(({ frontEnd, network: config }) => {
    const key = JSON.stringify(config);
    const network = networks.get(key) ?? createNetwork(config, classes);
    networks.set(key, network);
    return { frontEnd: frontEnds[frontEnd]!, network };
  });
}

/**
 * The parameters of networks that are stored in one file: each network's, named `0/conv1/kernel`; of a
 * single network its own.
 */
export function storedParameters(networks: readonly Network[]): Parameter[] {
  if (networks.length === 1) return [...networks[0]!.parameters];
  return networks.flatMap(({ parameters }, index) =>
    parameters.map((parameter) => ({ ...parameter, name: `${index}/${parameter.name}` })),
  );
}

/** The weights of networks by their names in the file that they share. */
export function joinWeights(weights: readonly WeightArrays[]): WeightArrays {
  if (weights.length === 1) return weights[0]!;
  return Object.fromEntries(
    weights.flatMap((values, index) =>
      Object.entries(values).map(([name, data]) => [`${index}/${name}`, data]),
    ),
  );
}

/** The weights of each network out of those of the file that they share. */
export function splitWeights(networks: readonly Network[], values: WeightArrays): WeightArrays[] {
  if (networks.length === 1) return [values];
  return networks.map(({ parameters }, index) =>
    Object.fromEntries(parameters.map(({ name }) => [name, values[`${index}/${name}`]!])),
  );
}
