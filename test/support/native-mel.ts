import type { MelConfig } from '../../shared/contracts/architecture';
import type { KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { createMel, melSize } from '../../shared/compute/network/mel';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import type { Network } from '../../shared/compute/network/network';
import { createUniform } from '../../shared/runtime/random';

export type MelArchitecture = MelConfig['architecture'];
type AddonMel = ReturnType<KernelsAddon['createMel']>;

export function melNetwork(architecture: MelArchitecture, classes: number): Network {
  return createMel({ architecture, dropout: 0.3 }, classes);
}

/**
 * Weights of a network that has seen something: statistics that are neither 0 nor 1, and scales of both
 * signs.
 */
export function melWeights(
  architecture: MelArchitecture,
  classes: number,
  seed: number,
): Record<string, Float32Array> {
  const network = melNetwork(architecture, classes);
  const uniform = createUniform(seed);
  return Object.fromEntries(
    Object.entries(initialWeights(network, seed)).map(([name, values]) => {
      if (name.endsWith('scale')) {
        return [name, values.map((_, i) => (0.5 + uniform()) * (i % 5 === 3 ? -1 : 1))];
      }
      if (name.endsWith('variance')) return [name, values.map(() => 0.5 + uniform())];
      if (/shift|mean|bias/.test(name)) return [name, values.map(() => uniform() - 0.5)];
      return [name, values];
    }),
  );
}

export function addonMel(
  addon: KernelsAddon,
  architecture: MelArchitecture,
  classes: number,
  weights: Readonly<Record<string, Float32Array>>,
  options: Partial<Parameters<KernelsAddon['createMel']>[0]> = {},
): AddonMel {
  const mel = addon.createMel({
    instructionSet: addon.instructionSets()[0]!,
    ...melSize({ architecture }),
    threads: 2,
    dropout: 0,
    classes,
    beta2: 0.99,
    weightDecay: 0.02,
    averageDecay: 0.995,
    ...options,
  });
  mel.setWeights(Object.values(weights));
  return mel;
}

export interface MelBatch {
  readonly crops: readonly Float32Array[];
  /** Shares of classes: a mixture of two each. */
  readonly targets: readonly (readonly number[])[];
  readonly seed: number;
}

/** Noise in dB, as a front end's. */
export function melBatch(clips: number, frames: number, classes: number, seed: number): MelBatch {
  const uniform = createUniform(seed);
  return {
    crops: Array.from({ length: clips }, () =>
      Float32Array.from({ length: frames * 64 }, () => -80 * uniform()),
    ),
    targets: Array.from({ length: clips }, (_, clip) => {
      const shares = new Array<number>(classes).fill(0);
      shares[clip % classes]! += 0.75;
      shares[(clip + 2) % classes]! += 0.25;
      return shares;
    }),
    seed: seed + 1,
  };
}

/** The batch as the addon takes it: features, labels, masks; and the targets. */
export function addonMelBatch({ crops, targets, seed }: MelBatch): {
  batch: [Float32Array, Int32Array, Uint32Array];
  targets: Float32Array;
} {
  const words = crops.flatMap((_, clip) => [clip, ...dropoutPlaces.mel.map(() => seed)]);
  return {
    batch: [
      Float32Array.from(crops.flatMap((crop) => Array.from(crop))),
      Int32Array.from(targets, (shares) => shares.indexOf(Math.max(...shares))),
      Uint32Array.from(words),
    ],
    targets: Float32Array.from(targets.flat()),
  };
}
