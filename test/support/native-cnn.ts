import type { KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { createUniform } from '../../shared/runtime/random';
import { tokenCount, type ReferenceClip } from './reference-gradients';

type AddonCnn = ReturnType<KernelsAddon['createCnn']>;

export interface CnnSize {
  readonly samples: number;
  readonly classes: number;
}

/** The `cnn`'s tensors, in the addon's order. */
export function cnnShapes({ samples, classes }: CnnSize): Record<string, number> {
  return {
    'conv1/kernel': 7 * 64,
    'conv1/bias': 64,
    'conv2/kernel': 5 * 64 * 32,
    'conv2/bias': 32,
    'conv3/kernel': 3 * 32 * 16,
    'conv3/bias': 16,
    'dense1/kernel': tokenCount(samples) * 16 * 128,
    'dense1/bias': 128,
    'dense2/kernel': 128 * classes,
    'dense2/bias': classes,
  };
}

/** Uniform in ±1/√(inputs), as a fresh network's. */
export function cnnWeights(size: CnnSize, seed: number): Record<string, Float32Array> {
  const uniform = createUniform(seed);
  const shapes = cnnShapes(size);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, length]) => {
      const layer = name.slice(0, name.indexOf('/'));
      const bound = 1 / Math.sqrt(shapes[`${layer}/kernel`]! / shapes[`${layer}/bias`]!);
      return [name, Float32Array.from({ length }, () => (2 * uniform() - 1) * bound)];
    }),
  );
}

export function noiseClips(size: CnnSize, count: number, seed: number): ReferenceClip[] {
  const uniform = createUniform(seed);
  return Array.from({ length: count }, (_, clip) => ({
    samples: Float32Array.from({ length: size.samples }, () => 2 * uniform() - 1),
    label: clip % size.classes,
    slot: clip % 8,
    seeds: Object.fromEntries(
      [...dropoutPlaces.cnn, ...dropoutPlaces.transformer].map((place, index) => [
        place,
        seed + (index + 1) * clip + index,
      ]),
    ),
  }));
}

/** The clips as the addon takes them: features, labels, masks. */
export function addonBatch(
  clips: readonly ReferenceClip[],
  places: readonly string[] = dropoutPlaces.cnn,
): [Float32Array, Int32Array, Uint32Array] {
  const samples = clips[0]!.samples.length;
  const features = new Float32Array(clips.length * samples);
  clips.forEach((clip, index) => {
    features.set(clip.samples, index * samples);
  });
  const words = clips.flatMap(({ slot, seeds }) => [slot, ...places.map((place) => seeds[place]!)]);
  return [features, Int32Array.from(clips, ({ label }) => label), Uint32Array.from(words)];
}

export function addonCnn(
  addon: KernelsAddon,
  { samples, classes }: CnnSize,
  weights: Readonly<Record<string, Float32Array>>,
  options: Partial<Parameters<KernelsAddon['createCnn']>[0]> = {},
): AddonCnn {
  const [fastest] = addon.instructionSets();
  const cnn = addon.createCnn({
    instructionSet: fastest!,
    threads: 2,
    dropout: 0,
    cachedFrames: 0,
    frameSamples: 0,
    samples,
    classes,
    ...options,
  });
  cnn.setWeights(Object.values(weights));
  return cnn;
}

/** Largest difference, as a share of the largest expected magnitude. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(error)) return NaN;
    difference = Math.max(difference, error);
    size = Math.max(size, Math.abs(expected[i]!));
  }
  return size === 0 ? difference : difference / size;
}
