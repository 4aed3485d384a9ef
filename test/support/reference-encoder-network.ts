import { encoderBands, mobileBlocks, type Activation } from '../../shared/encoder/mobile-net';
import type { WeightArrays } from '../../shared/compute/network/network';

// Jest's own context makes each look-up of a global slow: take them once.
const { exp, floor, max, min } = Math;

/** Maps of channels: value [channel][row][column], rows are mel bands and columns are frames. */
interface Maps {
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/**
 * The encoder once more, in double precision and by its definition alone: plain loops over channels,
 * rows and columns. Slow; the fast ones are held against it.
 * @param weights `encoderParameters`
 * @param picture [frames × 128], frame after frame
 * @returns 384 features and 527 tag logits
 */
export function referenceEncode(weights: WeightArrays, picture: Float32Array): Float64Array {
  const frames = picture.length / encoderBands;
  const input: Maps = {
    channels: 1,
    rows: encoderBands,
    columns: frames,
    values: Float64Array.from({ length: picture.length }, (_, at) => {
      const [band, frame] = [floor(at / frames), at % frames];
      return picture[frame * encoderBands + band]!;
    }),
  };
  let maps = activate(convolve(weights, 'stem', input, 3, 2, 1), 'hard-swish');
  for (const block of mobileBlocks) {
    const { name, inChannels, expanded, kernel, stride, squeezed, activation, residual } = block;
    const before = maps;
    if (expanded !== inChannels)
      maps = activate(convolve(weights, `${name}/expand`, maps, 1, 1, 1), activation);
    maps = activate(convolve(weights, `${name}/depthwise`, maps, kernel, stride, expanded), activation);
    if (squeezed > 0) maps = excite(weights, name, maps);
    maps = convolve(weights, `${name}/project`, maps, 1, 1, 1);
    if (residual) maps = { ...maps, values: maps.values.map((value, i) => value + before.values[i]!) };
  }
  const features = channelMeans(activate(convolve(weights, 'last', maps, 1, 1, 1), 'hard-swish'));
  const hidden = linear(weights, 'tagHidden', features).map((value) => hardSwish(value));
  return Float64Array.of(...features, ...linear(weights, 'tags', hidden));
}

/** A convolution with zeros around the maps; `groups` is 1 or the number of channels. */
function convolve(
  weights: WeightArrays,
  name: string,
  { channels, rows, columns, values }: Maps,
  size: number,
  stride: number,
  groups: number,
): Maps {
  const [kernel, bias] = [weights[`${name}/kernel`]!, weights[`${name}/bias`]!];
  const padding = (size - 1) / 2;
  const outChannels = bias.length;
  const each = channels / groups;
  const outRows = floor((rows + 2 * padding - size) / stride) + 1;
  const outColumns = floor((columns + 2 * padding - size) / stride) + 1;
  const result = new Float64Array(outChannels * outRows * outColumns);
  let at = 0;
  for (let out = 0; out < outChannels; out++) {
    const first = groups === 1 ? 0 : out;
    for (let row = 0; row < outRows; row++) {
      for (let column = 0; column < outColumns; column++, at++) {
        let sum = bias[out]!;
        for (let y = 0; y < size; y++) {
          const fromRow = row * stride + y - padding;
          if (fromRow < 0 || fromRow >= rows) continue;
          for (let x = 0; x < size; x++) {
            const fromColumn = column * stride + x - padding;
            if (fromColumn < 0 || fromColumn >= columns) continue;
            for (let channel = 0; channel < each; channel++) {
              const weight = kernel[((y * size + x) * each + channel) * outChannels + out]!;
              sum += weight * values[((first + channel) * rows + fromRow) * columns + fromColumn]!;
            }
          }
        }
        result[at] = sum;
      }
    }
  }
  return { channels: outChannels, rows: outRows, columns: outColumns, values: result };
}

function excite(weights: WeightArrays, name: string, maps: Maps): Maps {
  const squeezed = linear(weights, `${name}/squeeze`, channelMeans(maps)).map((value) => max(0, value));
  const share = linear(weights, `${name}/excite`, squeezed).map((value) => 1 / (1 + exp(-value)));
  const area = maps.rows * maps.columns;
  return { ...maps, values: maps.values.map((value, at) => value * share[floor(at / area)]!) };
}

function channelMeans({ channels, rows, columns, values }: Maps): Float64Array {
  const area = rows * columns;
  return Float64Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let at = 0; at < area; at++) sum += values[channel * area + at]!;
    return sum / area;
  });
}

function linear(weights: WeightArrays, name: string, input: Float64Array): Float64Array {
  const [kernel, bias] = [weights[`${name}/kernel`]!, weights[`${name}/bias`]!];
  return Float64Array.from(bias, (start, out) => {
    let sum = start;
    for (let i = 0; i < input.length; i++) sum += input[i]! * kernel[i * bias.length + out]!;
    return sum;
  });
}

function hardSwish(value: number): number {
  return (value * min(6, max(0, value + 3))) / 6;
}

function activate(maps: Maps, activation: Activation): Maps {
  const apply = activation === 'relu' ? (value: number) => max(0, value) : hardSwish;
  return { ...maps, values: maps.values.map(apply) };
}
