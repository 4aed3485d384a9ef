import type { WeightValues } from '../../registry/weights-file';

/** Values by name, and in the order in which the addon takes and gives them. */
interface NamedTensors {
  readonly inOrder: (values: WeightValues) => Float32Array[];
  readonly byName: (values: readonly Float32Array[]) => WeightValues;
}

export function namedTensors(names: readonly string[]): NamedTensors {
  return {
    inOrder: (values) => names.map((name) => values[name]!),
    byName: (values) => Object.fromEntries(names.map((name, index) => [name, values[index]!])),
  };
}
