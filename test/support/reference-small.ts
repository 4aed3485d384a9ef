/**
 * The small encoder's network once more, as it is when nothing is learnt, in double precision and in the
 * plainest loops: the reference that the fast one is held against. Maps are [channel][frame][band].
 */
// Jest's own context makes each look-up of a global slow: take them once.
const { floor, max, sqrt } = Math;

type Values = Readonly<Record<string, ArrayLike<number>>>;
type Maps = number[][][];

const kernels: Readonly<Record<string, readonly [number, number]>> = {
  conv1: [5, 5],
  conv2: [3, 3],
  conv3: [3, 3],
  conv4: [3, 3],
  conv5: [3, 3],
  conv6: [3, 3],
  head: [3, 4],
};

/**
 * @param inputs each [frames × 64], frame after frame
 * @returns the outputs of each input
 */
export function referenceSmall(values: Values, inputs: readonly ArrayLike<number>[]): number[][] {
  // Batch norm a band: the bands are the channels.
  const columns: Maps[] = inputs.map((input) =>
    Array.from({ length: 64 }, (_, bin) =>
      Array.from({ length: input.length / 64 }, (_, frame) => [input[frame * 64 + bin]!]),
    ),
  );
  const normalised = norm(columns, values, 'input');
  let batch: Maps[] = normalised.map((maps) => [
    Array.from({ length: maps[0]!.length }, (_, frame) => maps.map((bin) => bin[frame]![0]!)),
  ]);
  for (const [name, size] of Object.entries(kernels)) {
    const stride = name === 'conv1' ? 2 : 1;
    const padding = name === 'conv1' ? [2, 2] : name === 'head' ? [1, 0] : [1, 1];
    const outChannels = values[`${name}/scale`]!.length;
    const convolved = batch.map((maps) =>
      convolve(maps, values[`${name}/kernel`]!, size, outChannels, stride, padding as [number, number]),
    );
    batch = norm(convolved, values, name).map((maps) =>
      maps.map((rows) => rows.map((row) => row.map((value) => max(0, value)))),
    );
    if (['conv2', 'conv4', 'conv6'].includes(name)) batch = batch.map((maps) => maps.map(pool));
  }
  return batch.map((maps) => {
    const series = maps.map((rows) => rows.map((row) => row[0]!));
    const means = series.map((s) => s.reduce((sum, value) => sum + value, 0) / s.length);
    const deviations = series.map((s, c) =>
      sqrt(s.reduce((sum, value) => sum + (value - means[c]!) ** 2, 0) / s.length + 1e-4),
    );
    const statistics = [...means, ...series.map((s) => max(...s)), ...deviations];
    const bias = Array.from(values['dense/bias']!);
    return bias.map((start, k) =>
      statistics.reduce(
        (sum, value, i) => sum + value * values['dense/kernel']![i * bias.length + k]!,
        start,
      ),
    );
  });
}

/** Zeros beyond the edges; kernel laid out [frame][bin][in][out]. */
function convolve(
  maps: Maps,
  kernel: ArrayLike<number>,
  [height, width]: readonly [number, number],
  outChannels: number,
  stride: number,
  [padFrames, padBins]: readonly [number, number],
): Maps {
  const [frames, bins] = [maps[0]!.length, maps[0]![0]!.length];
  const outFrames = floor((frames + 2 * padFrames - height) / stride) + 1;
  const outBins = floor((bins + 2 * padBins - width) / stride) + 1;
  return Array.from({ length: outChannels }, (_, out) =>
    Array.from({ length: outFrames }, (_, t) =>
      Array.from({ length: outBins }, (_, f) => {
        let sum = 0;
        for (let i = 0; i < height; i++) {
          for (let j = 0; j < width; j++) {
            const [frame, bin] = [t * stride + i - padFrames, f * stride + j - padBins];
            if (frame < 0 || frame >= frames || bin < 0 || bin >= bins) continue;
            for (let channel = 0; channel < maps.length; channel++) {
              const weight = kernel[((i * width + j) * maps.length + channel) * outChannels + out]!;
              sum += maps[channel]![frame]![bin]! * weight;
            }
          }
        }
        return sum;
      }),
    ),
  );
}

function norm(batch: readonly Maps[], values: Values, name: string): Maps[] {
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map(
    (part) => values[`${name}/${part}`]!,
  );
  return batch.map((maps) =>
    maps.map((rows, channel) => {
      const factor = scale![channel]! / sqrt(variance![channel]! + 1e-5);
      return rows.map((row) => row.map((value) => (value - mean![channel]!) * factor + shift![channel]!));
    }),
  );
}

function pool(rows: number[][]): number[][] {
  return Array.from({ length: floor(rows.length / 2) }, (_, t) =>
    Array.from({ length: floor(rows[0]!.length / 2) }, (_, f) =>
      max(
        rows[2 * t]![2 * f]!,
        rows[2 * t]![2 * f + 1]!,
        rows[2 * t + 1]![2 * f]!,
        rows[2 * t + 1]![2 * f + 1]!,
      ),
    ),
  );
}
