import type { Network, Parameter, WeightArrays } from './network';

/**
 * Parameters of a version of several networks: each member's, named `0/conv1/kernel`; of one network its
 * own.
 */
export function ensembleParameters(network: Network, members: number): Parameter[] {
  if (members === 1) return [...network.parameters];
  return Array.from({ length: members }, (_, member) =>
    network.parameters.map((parameter) => ({ ...parameter, name: `${member}/${parameter.name}` })),
  ).flat();
}

export function joinMembers(members: readonly WeightArrays[]): WeightArrays {
  if (members.length === 1) return members[0]!;
  return Object.fromEntries(
    members.flatMap((values, member) =>
      Object.entries(values).map(([name, data]) => [`${member}/${name}`, data]),
    ),
  );
}

export function splitMembers(network: Network, values: WeightArrays, members: number): WeightArrays[] {
  if (members === 1) return [values];
  return Array.from({ length: members }, (_, member) =>
    Object.fromEntries(network.parameters.map(({ name }) => [name, values[`${member}/${name}`]!])),
  );
}
