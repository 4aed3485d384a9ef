import { AppError } from '../../errors/app-error';
import type { Parameter, WeightArrays } from './network';
import {
  encoderFeatures,
  encoderNormEpsilon,
  encoderTags,
  mobileBlocks,
  stemChannels,
  tagHidden,
} from '../../encoder/mobile-net';
import type { TorchTensor } from '../../encoder/torch-file';

/** A convolution of the checkpoint and the batch norm behind it. */
interface ConvLayer {
  /** The name in `encoderParameters`. */
  readonly name: string;
  readonly convolution: string;
  readonly norm: string;
  /** Height, width, input channels of a group, output channels. */
  readonly shape: readonly [number, number, number, number];
}

interface LinearLayer {
  readonly name: string;
  readonly source: string;
  readonly shape: readonly [inputs: number, outputs: number];
}

const convLayers: readonly ConvLayer[] = [
  conv('stem', 'features.0', [3, 3, 1, stemChannels]),
  ...mobileBlocks.flatMap((block) => {
    const { name, inChannels, expanded, kernel, outChannels, squeezed } = block;
    const expands = expanded !== inChannels;
    const [depthwise, project] = [expands ? 1 : 0, (expands ? 2 : 1) + (squeezed > 0 ? 1 : 0)];
    return [
      ...(expands ? [conv(`${name}/expand`, `${name}.block.0`, [1, 1, inChannels, expanded])] : []),
      conv(`${name}/depthwise`, `${name}.block.${depthwise}`, [kernel, kernel, 1, expanded]),
      conv(`${name}/project`, `${name}.block.${project}`, [1, 1, expanded, outChannels]),
    ];
  }),
  conv('last', 'features.16', [1, 1, mobileBlocks.at(-1)!.outChannels, encoderFeatures]),
];

const linearLayers: readonly LinearLayer[] = [
  ...mobileBlocks
    .filter(({ squeezed }) => squeezed > 0)
    .flatMap(({ name, expanded, squeezed }): LinearLayer[] => {
      const source = `${name}.block.2.conc_se_layers.0`;
      return [
        { name: `${name}/squeeze`, source: `${source}.fc1`, shape: [expanded, squeezed] },
        { name: `${name}/excite`, source: `${source}.fc2`, shape: [squeezed, expanded] },
      ];
    }),
  { name: 'tagHidden', source: 'classifier.2', shape: [encoderFeatures, tagHidden] },
  { name: 'tags', source: 'classifier.5', shape: [tagHidden, encoderTags] },
];

function conv(name: string, source: string, shape: ConvLayer['shape']): ConvLayer {
  return { name, convolution: `${source}.0`, norm: `${source}.1`, shape };
}

/**
 * The encoder's parameters with every batch norm folded into its convolution, in the order in which the
 * kernels take them: `NAME/kernel` and `NAME/bias`. Kernels are [height, width, input channels of a
 * group, output channels], those of linear layers [inputs, outputs].
 */
export const encoderParameters: readonly Pick<Parameter, 'name' | 'shape'>[] = [
  ...convLayers,
  ...linearLayers,
].flatMap(({ name, shape }) => [
  { name: `${name}/kernel`, shape },
  { name: `${name}/bias`, shape: [shape.at(-1)!] },
]);

/**
 * The parameters out of the published checkpoint's tensors.
 * @throws AppError invalid-checkpoint where a tensor is missing, or has another shape
 */
export function encoderWeights(tensors: ReadonlyMap<string, TorchTensor>): WeightArrays {
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor?.values !== undefined && tensor.shape.join() === shape.join()) return tensor.values;
    const got = tensor === undefined ? 'nothing' : tensor.shape.join(' × ');
    throw new AppError(
      'invalid-checkpoint',
      `The encoder's file holds ${got} for ${name}, not ${shape.join(' × ')}.`,
    );
  };
  return Object.fromEntries([
    ...convLayers.flatMap((layer) => foldedConvolution(layer, read)),
    ...linearLayers.flatMap(({ name, source, shape: [inputs, outputs] }) => [
      [`${name}/kernel`, transposed(read(`${source}.weight`, [outputs, inputs]), outputs)] as const,
      [`${name}/bias`, read(`${source}.bias`, [outputs])] as const,
    ]),
  ]);
}

type ReadTensor = (name: string, shape: readonly number[]) => Float32Array;

function foldedConvolution(
  { name, convolution, norm, shape }: ConvLayer,
  read: ReadTensor,
): [string, Float32Array][] {
  const [height, width, groupChannels, outChannels] = shape;
  const kernel = read(`${convolution}.weight`, [outChannels, groupChannels, height, width]);
  const channels = [outChannels];
  const [scale, shift] = [read(`${norm}.weight`, channels), read(`${norm}.bias`, channels)];
  const [mean, variance] = [read(`${norm}.running_mean`, channels), read(`${norm}.running_var`, channels)];
  const factors = Float64Array.from(
    scale,
    (value, i) => value / Math.sqrt(variance[i]! + encoderNormEpsilon),
  );
  const area = height * width;
  const folded = new Float32Array(kernel.length);
  for (let out = 0, from = 0; out < outChannels; out++) {
    for (let channel = 0; channel < groupChannels; channel++) {
      for (let tap = 0; tap < area; tap++, from++) {
        folded[(tap * groupChannels + channel) * outChannels + out] = kernel[from]! * factors[out]!;
      }
    }
  }
  const bias = Float32Array.from(shift, (value, i) => value - mean[i]! * factors[i]!);
  return [
    [`${name}/kernel`, folded],
    [`${name}/bias`, bias],
  ];
}

/** [rows, columns] to [columns, rows]. */
function transposed(matrix: Float32Array, rowCount: number): Float32Array {
  const columns = matrix.length / rowCount;
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rowCount; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rowCount + row] = matrix[row * columns + column]!;
  }
  return result;
}
