/**
 * The small encoder's network in training and all its gradients once more, in double precision and in the
 * plainest loops: every step of the network returns its result and how a gradient goes back through it.
 * Maps are [row][column][channel].
 */
const { exp, floor, log1p, max, sqrt } = Math;

type Values = Readonly<Record<string, ArrayLike<number>>>;
type Gradients = Record<string, Float64Array>;

interface Maps {
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  /** One array a clip. */
  readonly clips: readonly Float64Array[];
}

interface Step {
  readonly result: Maps;
  back(gradients: readonly Float64Array[]): Float64Array[];
}

export interface ReferenceSmallPass {
  /** Summed over the clips. */
  readonly loss: number;
  /** Of the mean loss, of every trainable parameter. */
  readonly gradients: Gradients;
  /** Of the batch: mean and unbiased variance, by norm. */
  readonly statistics: Readonly<Record<string, Float64Array>>;
}

interface Layer {
  readonly name: string;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: readonly [number, number];
  readonly pooled: boolean;
}
const plain = { kernel: [3, 3], stride: 1, padding: [1, 1] } as const;
const layers: readonly Layer[] = [
  { name: 'conv1', kernel: [5, 5], stride: 2, padding: [2, 2], pooled: false },
  { ...plain, name: 'conv2', pooled: true },
  { ...plain, name: 'conv3', pooled: false },
  { ...plain, name: 'conv4', pooled: true },
  { ...plain, name: 'conv5', pooled: false },
  { ...plain, name: 'conv6', pooled: true },
  { name: 'head', kernel: [3, 4], stride: 1, padding: [1, 0], pooled: false },
];

/**
 * @param pictures each [frames × 64]
 * @param targets by picture: features, then probabilities
 * @param features how many of the outputs learn features
 */
export function referenceSmallPass(
  values: Values,
  pictures: readonly ArrayLike<number>[],
  targets: readonly (readonly number[])[],
  features: number,
): ReferenceSmallPass {
  const gradients: Gradients = {};
  const statistics: Record<string, Float64Array> = {};
  const frames = pictures[0]!.length / 64;
  const shaped = { rows: frames, columns: 1, channels: 64 };
  const steps: Step[] = [
    norm(
      { ...shaped, clips: pictures.map((picture) => Float64Array.from(picture)) },
      'input',
      values,
      gradients,
      statistics,
    ),
  ];
  // From here on the bands are columns, not channels: the same numbers.
  let maps: Maps = { rows: frames, columns: 64, channels: 1, clips: steps[0]!.result.clips };
  const add = (step: Step): void => {
    steps.push(step);
    maps = step.result;
  };
  for (const layer of layers) {
    add(convolve(maps, layer, values, gradients));
    add(norm(maps, layer.name, values, gradients, statistics));
    add(relu(maps));
    if (layer.pooled) add(pool(maps));
  }
  const { loss, dMaps } = compare(maps, values, targets, features, gradients);
  steps.reduceRight((gradient, step) => step.back(gradient), dMaps);
  return { loss, gradients, statistics };
}

function norm(maps: Maps, name: string, values: Values, gradients: Gradients, statistics: Gradients): Step {
  const { channels, clips } = maps;
  const [scale, shift] = [values[`${name}/scale`]!, values[`${name}/shift`]!];
  const count = (clips.length * clips[0]!.length) / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (const clip of clips) clip.forEach((x, i) => (mean[i % channels]! += x / count));
  for (const clip of clips)
    clip.forEach((x, i) => (variance[i % channels]! += (x - mean[i % channels]!) ** 2 / count));
  statistics[`${name}/mean`] = mean;
  statistics[`${name}/variance`] = variance.map((v) => (v * count) / max(1, count - 1));
  const deviation = variance.map((v) => sqrt(v + 1e-5));
  const hats = clips.map((clip) => clip.map((x, i) => (x - mean[i % channels]!) / deviation[i % channels]!));
  return {
    result: {
      ...maps,
      clips: hats.map((hat) => hat.map((x, i) => x * scale[i % channels]! + shift[i % channels]!)),
    },
    back: (dys) => {
      const [dScale, dShift] = [new Float64Array(channels), new Float64Array(channels)];
      dys.forEach((dy, clip) => {
        dy.forEach((d, i) => {
          dShift[i % channels]! += d;
          dScale[i % channels]! += d * hats[clip]![i]!;
        });
      });
      gradients[`${name}/scale`] = dScale;
      gradients[`${name}/shift`] = dShift;
      return dys.map((dy, clip) =>
        dy.map((d, i) => {
          const c = i % channels;
          const centred = d - dShift[c]! / count - (hats[clip]![i]! * dScale[c]!) / count;
          return (scale[c]! / deviation[c]!) * centred;
        }),
      );
    },
  };
}

/** Calls `use` with the indices of every product: in the input, the kernel and the output. */
function products(
  { rows, columns, channels }: Maps,
  { kernel: [height, width], stride, padding }: Layer,
  out: { rows: number; columns: number; channels: number },
  use: (x: number, w: number, y: number) => void,
): void {
  for (let t = 0; t < out.rows; t++) {
    for (let f = 0; f < out.columns; f++) {
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          const [row, column] = [t * stride + i - padding[0], f * stride + j - padding[1]];
          if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
          for (let c = 0; c < channels; c++) {
            const x = (row * columns + column) * channels + c;
            const w = ((i * width + j) * channels + c) * out.channels;
            const y = (t * out.columns + f) * out.channels;
            for (let o = 0; o < out.channels; o++) use(x, w + o, y + o);
          }
        }
      }
    }
  }
}

function convolve(maps: Maps, layer: Layer, values: Values, gradients: Gradients): Step {
  const kernel = Float64Array.from(values[`${layer.name}/kernel`]!);
  const size = (length: number, axis: 0 | 1): number =>
    floor((length + 2 * layer.padding[axis] - layer.kernel[axis]) / layer.stride) + 1;
  const channels = values[`${layer.name}/scale`]!.length;
  const out = { rows: size(maps.rows, 0), columns: size(maps.columns, 1), channels };
  const clips = maps.clips.map((input) => {
    const output = new Float64Array(out.rows * out.columns * channels);
    products(maps, layer, out, (x, w, y) => (output[y]! += input[x]! * kernel[w]!));
    return output;
  });
  return {
    result: { ...out, clips },
    back: (dys) => {
      const dKernel = new Float64Array(kernel.length);
      gradients[`${layer.name}/kernel`] = dKernel;
      return dys.map((dy, clip) => {
        const input = maps.clips[clip]!;
        const dInput = new Float64Array(input.length);
        products(maps, layer, out, (x, w, y) => {
          dKernel[w]! += input[x]! * dy[y]!;
          dInput[x]! += kernel[w]! * dy[y]!;
        });
        return dInput;
      });
    },
  };
}

function relu(maps: Maps): Step {
  return {
    result: { ...maps, clips: maps.clips.map((clip) => clip.map((x) => max(0, x))) },
    back: (dys) => dys.map((dy, clip) => dy.map((d, i) => (maps.clips[clip]![i]! > 0 ? d : 0))),
  };
}

/** The largest of 2 × 2; of equals the first in reading order. */
function pool(maps: Maps): Step {
  const { columns, channels, clips } = maps;
  const out = { rows: floor(maps.rows / 2), columns: floor(columns / 2), channels };
  const winners = clips.map((clip) =>
    Int32Array.from({ length: out.rows * out.columns * channels }, (_, index) => {
      const position = floor(index / channels);
      const [row, column] = [2 * floor(position / out.columns), 2 * (position % out.columns)];
      const at = (i: number, j: number): number =>
        ((row + i) * columns + column + j) * channels + (index % channels);
      return [at(0, 1), at(1, 0), at(1, 1)].reduce(
        (best, place) => (clip[place]! > clip[best]! ? place : best),
        at(0, 0),
      );
    }),
  );
  return {
    result: {
      ...out,
      clips: clips.map((clip, index) => Float64Array.from(winners[index]!, (place) => clip[place]!)),
    },
    back: (dys) =>
      dys.map((dy, clip) => {
        const dInput = new Float64Array(clips[clip]!.length);
        dy.forEach((d, i) => (dInput[winners[clip]![i]!]! += d));
        return dInput;
      }),
  };
}

/** Statistics over time, the linear layer and the loss, there and back. */
function compare(
  { rows, channels, clips }: Maps,
  values: Values,
  targets: readonly (readonly number[])[],
  features: number,
  gradients: Gradients,
): { loss: number; dMaps: Float64Array[] } {
  const [kernel, bias] = [values['dense/kernel']!, Array.from(values['dense/bias']!)];
  const [dKernel, dBias] = [new Float64Array(kernel.length), new Float64Array(bias.length)];
  Object.assign(gradients, { 'dense/kernel': dKernel, 'dense/bias': dBias });
  let loss = 0;
  const dMaps = clips.map((clip, index) => {
    const series = Array.from({ length: channels }, (_, c) =>
      Array.from({ length: rows }, (_, t) => clip[t * channels + c]!),
    );
    const means = series.map((s) => s.reduce((sum, x) => sum + x, 0) / rows);
    const highest = series.map((s) => max(...s));
    const deviations = series.map((s, c) =>
      sqrt(s.reduce((sum, x) => sum + (x - means[c]!) ** 2, 0) / rows + 1e-4),
    );
    const statistics = [...means, ...highest, ...deviations];
    const row = bias.map((b, k) =>
      statistics.reduce((sum, x, i) => sum + x * kernel[i * bias.length + k]!, b),
    );
    const ofClip = distillation(row, targets[index]!, features);
    loss += ofClip.loss;
    const dRow = ofClip.dRow.map((d) => d / clips.length);
    dRow.forEach((d, k) => {
      dBias[k]! += d;
      statistics.forEach((x, i) => (dKernel[i * bias.length + k]! += x * d));
    });
    const dStatistic = (i: number): number =>
      dRow.reduce((sum, d, k) => sum + d * kernel[i * bias.length + k]!, 0);
    const dClip = new Float64Array(clip.length);
    series.forEach((s, c) => {
      const [dMean, dHighest, dDeviation] = [c, channels + c, 2 * channels + c].map(dStatistic);
      s.forEach((x, t) => {
        const most = x === highest[c] ? dHighest! : 0;
        dClip[t * channels + c] = (dMean! + (dDeviation! * (x - means[c]!)) / deviations[c]!) / rows + most;
      });
    });
    return dClip;
  });
  return { loss, dMaps };
}

interface Loss {
  readonly loss: number;
  readonly dRow: readonly number[];
}

/** Squared error of features, and twenty times the cross-entropy of what applies or does not. */
function distillation(row: readonly number[], target: readonly number[], features: number): Loss {
  const tags = row.length - features;
  const logSigmoid = (x: number): number => (x < 0 ? x - log1p(exp(x)) : -log1p(exp(-x)));
  const losses = row.map((x, k) => {
    const t = target[k]!;
    if (k < features) return (x - t) ** 2 / features;
    return ((-t * logSigmoid(x) - (1 - t) * logSigmoid(-x)) * 20) / tags;
  });
  return {
    loss: losses.reduce((sum, each) => sum + each, 0),
    dRow: row.map((x, k) =>
      k < features ? (2 * (x - target[k]!)) / features : (20 * (exp(logSigmoid(x)) - target[k]!)) / tags,
    ),
  };
}
