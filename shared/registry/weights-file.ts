import type { io } from '@tensorflow/tfjs-core';
import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error';
import type { Network, WeightArrays } from '../compute/network/network';
import { fromHalf, toHalf } from './half-precision';

export type WeightsDtype = 'float32' | 'float16';

export type WeightValues = WeightArrays;

export interface EncodedWeights {
  /** The weights manifest of TensorFlow.js: the content of `weights.json`. */
  readonly manifest: io.WeightsManifestConfig;
  /** The content of `weights.bin`. */
  readonly bytes: Buffer;
  readonly sha256: string;
}

export const weightsFileNames = { manifest: 'weights.json', bytes: 'weights.bin' } as const;

/**
 * Encodes weights in the format of TensorFlow.js: one binary file, and a manifest with names, shapes and
 * types. Half precision uses its `float16` quantisation, which all readers of the format decode.
 */
export function encodeWeights(
  network: Pick<Network, 'parameters'>,
  values: WeightValues,
  dtype: WeightsDtype,
): EncodedWeights {
  const specs: io.WeightsManifestEntry[] = [];
  const parts: Buffer[] = [];
  for (const { name, shape } of network.parameters) {
    const data = values[name];
    if (data === undefined) throw new AppError('internal', `The parameter ${name} has no values.`);
    const quantization =
      dtype === 'float16' ? { quantization: { dtype, original_dtype: 'float32' as const } } : {};
    specs.push({ name, shape: [...shape], dtype: 'float32', ...quantization });
    const array = dtype === 'float16' ? toHalf(data) : data;
    parts.push(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
  }
  const bytes = Buffer.concat(parts);
  return {
    manifest: [{ paths: [weightsFileNames.bytes], weights: specs }],
    bytes,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
}

/**
 * Decodes the values by parameter name; half precision becomes float32. The results are plain arrays, so
 * no engine needs to be loaded.
 * @throws AppError invalid-checkpoint when they do not match `network`
 */
export function decodeWeights(
  network: Pick<Network, 'parameters'>,
  manifest: io.WeightsManifestConfig,
  bytes: Uint8Array,
): WeightValues {
  const stored = new Map<string, { readonly shape: readonly number[]; readonly values: Float32Array }>();
  let offset = 0;
  for (const { name, shape, quantization } of manifest.flatMap((group) => group.weights)) {
    const length = shape.reduce((product, size) => product * size, 1);
    const isHalf = quantization?.dtype === 'float16';
    // A copy, whose offset is aligned for a typed array.
    const part = new Uint8Array(bytes.subarray(offset, (offset += length * (isHalf ? 2 : 4))));
    if (offset > bytes.length) throw new AppError('invalid-checkpoint', `The weights end within ${name}.`);
    const values = isHalf ? fromHalf(new Uint16Array(part.buffer)) : new Float32Array(part.buffer);
    stored.set(name, { shape, values });
  }
  return Object.fromEntries(
    network.parameters.map(({ name, shape }) => {
      const found = stored.get(name);
      if (found?.shape.join() === shape.join()) return [name, found.values];
      const [expected, got] = [shape.join(' × '), found?.shape.join(' × ') ?? 'nothing'];
      const message = `The weights hold ${got} for ${name}, expected ${expected}.`;
      throw new AppError('invalid-checkpoint', message);
    }),
  );
}
