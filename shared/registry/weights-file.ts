import * as tf from '@tensorflow/tfjs-core';
import { createHash } from 'node:crypto';
import { AppError } from '../errors/app-error';
import type { Network, WeightArrays } from '../network/network';
import { toHalf } from './half-precision';

export type WeightsDtype = 'float32' | 'float16';

export type WeightValues = WeightArrays;

export interface EncodedWeights {
  /** TensorFlow.js's weights manifest, the content of `weights.json`. */
  readonly manifest: tf.io.WeightsManifestConfig;
  /** The content of `weights.bin`. */
  readonly bytes: Buffer;
  readonly sha256: string;
}

export const weightsFileNames = { manifest: 'weights.json', bytes: 'weights.bin' } as const;

/**
 * Weights in TensorFlow.js's own format: one binary, and a manifest of names, shapes and types. Half precision is
 * its `float16` quantisation, which every reader of the format undoes.
 */
export function encodeWeights(
  network: Pick<Network, 'parameters'>,
  values: WeightValues,
  dtype: WeightsDtype,
): EncodedWeights {
  const specs: tf.io.WeightsManifestEntry[] = [];
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
 * Values by parameter name; half precision comes back as float32.
 * @throws AppError invalid-checkpoint when they are not those of `network`
 */
export function decodeWeights(
  network: Pick<Network, 'parameters'>,
  manifest: tf.io.WeightsManifestConfig,
  bytes: Uint8Array,
): WeightValues {
  const specs = manifest.flatMap((group) => group.weights);
  // A copy: tfjs's decoder wants an ArrayBuffer that starts with the weights.
  const tensors = tf.io.decodeWeights(Uint8Array.from(bytes).buffer, specs);
  try {
    return Object.fromEntries(
      network.parameters.map(({ name, shape }) => {
        const tensor = tensors[name];
        if (tensor?.shape.join() === shape.join()) return [name, tensor.dataSync<'float32'>()];
        const [expected, got] = [shape.join(' × '), tensor?.shape.join(' × ') ?? 'nothing'];
        const message = `The weights hold ${got} for ${name}, expected ${expected}.`;
        throw new AppError('invalid-checkpoint', message);
      }),
    );
  } finally {
    tf.dispose(tensors);
  }
}
