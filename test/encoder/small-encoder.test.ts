import { createEncoder } from '../../shared/compute/inference/encoder';
import { loadKernels } from '../../shared/compute/kernels/kernels-addon';
import { encoderNetworks, smallEncoderNetwork } from '../../shared/compute/network/encoder-networks';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import type { WeightArrays } from '../../shared/compute/network/network';
import { loadEngine, loadScoringEngine, type LoadedEngine } from '../../shared/compute/provide/load-engine';
import { encoderBands, encoderOutputs } from '../../shared/encoder/mobile-net';
import { smallPicture } from '../../shared/encoder/small-picture';
import { createUniform } from '../../shared/runtime/random';
import { expectClose } from '../support/kernel-checks';
import { kaldiMel } from '../../shared/front-end/kaldi-mel';
import { referenceSmall } from '../support/reference-small';
import { chooseTestEngine } from '../support/test-engine';

/** Of a network that has seen something. */
function seenWeights(): WeightArrays {
  const uniform = createUniform(11);
  return Object.fromEntries(
    Object.entries(initialWeights(smallEncoderNetwork, 3)).map(([name, values]) => [
      name,
      /variance|scale/.test(name)
        ? values.map(() => 0.5 + uniform())
        : /shift|mean/.test(name)
          ? values.map(() => uniform() - 0.5)
          : values,
    ]),
  );
}

const values = seenWeights();
const encoderWeights = { name: 'small', values } as const;

function noise(samples: number, seed: number): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length: samples }, (_, i) => 0.4 * (uniform() - 0.5) * Math.sin(i / 3000));
}

/** Lengths of which the picture has an even and an odd number of frames, and one that is too short. */
const windows = [noise(16_000, 1), noise(17_000, 2), noise(9000, 3)];

/** What plain loops in double precision give of a window. */
function expectedOf(window: Float32Array): number[] {
  const heard = new Float32Array(Math.max(window.length, 16_000));
  heard.set(window);
  const picture = kaldiMel(heard);
  const frames = Math.floor(picture.length / encoderBands / 2);
  const at = (frame: number, band: number): number => picture[frame * encoderBands + band]!;
  const small = Float64Array.from({ length: frames * 64 }, (_, i) => {
    const [frame, band] = [2 * Math.floor(i / 64), 2 * (i % 64)];
    return (at(frame, band) + at(frame, band + 1) + at(frame + 1, band) + at(frame + 1, band + 1)) / 4;
  });
  return referenceSmall(values, [small])[0]!;
}

async function engineNamed(name: string): Promise<LoadedEngine | undefined> {
  if (name === 'wasm' || name === 'cpu') {
    const { kernels: none, ...engine } = await loadEngine(await chooseTestEngine(name, 'reference'));
    expect(none).toBeUndefined();
    return { ...engine, encoderWeights };
  }
  const { kernels, ...choice } = await chooseTestEngine('cpu');
  if (!loadKernels(kernels!.path).instructionSets().includes(name)) return undefined;
  const native = { ...choice, kernels: { ...kernels!, instructionSet: name } };
  return { ...(await loadScoringEngine(native, { architecture: 'small' })), encoderWeights };
}

describe('the small encoder', () => {
  const expected = windows.map(expectedOf);

  it.each(['avx512', 'avx2', 'baseline', 'cpu', 'wasm'])(
    'gives what double-precision loops give: %s',
    async (name) => {
      const engine = await engineNamed(name);
      if (engine === undefined) return;
      const encoder = createEncoder(engine);
      const together = encoder.encode(windows);
      expected.forEach((row, index) => {
        expectClose(together.subarray(index * encoderOutputs, (index + 1) * encoderOutputs), row, 2e-4);
        expectClose(encoder.encode([windows[index]!]), row, 2e-4);
      });
      encoder.dispose();
    },
  );

  it('gives the same bits on any number of threads, for windows of changing lengths, and of a stream', async () => {
    const { kernels } = (await engineNamed('baseline'))!;
    const sound = noise(170_000, 9);
    const starts = [0, 3200, 9600];
    const stream = starts.map((start) => sound.subarray(start, start + 160_000));
    const outputsOn = (threads: number): Float32Array[] => {
      const { path, instructionSet } = kernels!;
      const encoder = loadKernels(path).createAudioEncoder({ instructionSet, threads, network: 'small' });
      encoder.setWeights(encoderNetworks.small.parameters.map(({ name }) => values[name]!));
      // One by one, so that later windows of the stream find earlier ones.
      const outputs = [...stream, ...windows, ...stream].map((window) => encoder.encode([window]));
      encoder.dispose();
      return outputs;
    };
    const [one, three] = [outputsOn(1), outputsOn(3)];
    expect(three).toEqual(one);
    expect(one.slice(-3)).toEqual(one.slice(0, 3));
  });

  it('halves pictures by means of two by two, and leaves an odd last frame out', () => {
    const picture = Float32Array.from({ length: 3 * encoderBands }, (_, i) => i);
    const small = smallPicture(picture);
    expect(small).toHaveLength(64);
    expect(small[0]).toBe((0 + 1 + 128 + 129) / 4);
    expect(small[63]).toBe((126 + 127 + 254 + 255) / 4);
  });
});
