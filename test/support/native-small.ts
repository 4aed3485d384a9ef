import type { AddonStudent, KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import { createSmallNetwork, type SmallSize } from '../../shared/compute/network/small-network';
import { createUniform } from '../../shared/runtime/random';

/** Smaller than the small encoder's, for references that are slow. */
export const smallSizes = {
  narrow: { width: 12, head: 64 },
  wide: { width: 24, head: 256 },
} as const satisfies Record<string, SmallSize>;
export type SmallName = keyof typeof smallSizes;

/** Of a network's outputs those that learn features. */
export const taughtFeatures = 2;

/**
 * Weights of a network that has seen something: statistics that are neither 0 nor 1, and scales of both
 * signs.
 */
export function smallWeights(name: SmallName, outputs: number, seed: number): Record<string, Float32Array> {
  const uniform = createUniform(seed);
  return Object.fromEntries(
    Object.entries(initialWeights(createSmallNetwork(smallSizes[name], outputs), seed)).map(
      ([parameter, values]) => {
        if (parameter.endsWith('scale')) {
          return [parameter, values.map((_, i) => (0.5 + uniform()) * (i % 5 === 3 ? -1 : 1))];
        }
        if (parameter.endsWith('variance')) return [parameter, values.map(() => 0.5 + uniform())];
        if (/shift|mean|bias/.test(parameter)) return [parameter, values.map(() => uniform() - 0.5)];
        return [parameter, values];
      },
    ),
  );
}

export function addonSmall(
  addon: KernelsAddon,
  name: SmallName,
  outputs: number,
  weights: Readonly<Record<string, Float32Array>>,
  options: Partial<Parameters<KernelsAddon['createSmallNet']>[0]> = {},
): AddonStudent {
  const student = addon.createSmallNet({
    instructionSet: addon.instructionSets()[0]!,
    ...smallSizes[name],
    threads: 2,
    outputs,
    features: taughtFeatures,
    beta2: 0.99,
    weightDecay: 0.02,
    averageDecay: 0.995,
    ...options,
  });
  student.setWeights(Object.values(weights));
  return student;
}

/** Pictures, and what another network says of them. */
export interface SmallLesson {
  readonly pictures: readonly Float32Array[];
  /** Features of any size, then probabilities. */
  readonly targets: readonly (readonly number[])[];
}

/** Pictures of noise. */
export function smallLesson(clips: number, frames: number, outputs: number, seed: number): SmallLesson {
  const uniform = createUniform(seed);
  return {
    pictures: Array.from({ length: clips }, () =>
      Float32Array.from({ length: frames * 64 }, () => -80 * uniform()),
    ),
    targets: Array.from({ length: clips }, () =>
      Array.from({ length: outputs }, (_, k) => (k < taughtFeatures ? 6 * uniform() - 3 : uniform())),
    ),
  };
}

/** A lesson as the addon takes it: features, targets, and the masks, of which it has none. */
export function addonLesson({ pictures, targets }: SmallLesson): [Float32Array, Float32Array, Uint32Array] {
  return [
    Float32Array.from(pictures.flatMap((picture) => Array.from(picture))),
    Float32Array.from(targets.flat()),
    new Uint32Array(0),
  ];
}
