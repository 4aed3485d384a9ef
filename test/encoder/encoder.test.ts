import { encoderParameters } from '../../shared/compute/network/encoder-weights';
import { encoderOutputs, encoderBands } from '../../shared/encoder/mobile-net';
import { encoderHopSamples, kaldiFrames, kaldiMel } from '../../shared/front-end/kaldi-mel';
import { encoderFrontEnd, type EncoderFrontEnd } from '../../shared/contracts/front-end';
import { createFrontEndInputs } from '../../shared/compute/inference/front-end-inputs';
import { createEncoder } from '../../shared/compute/inference/encoder';
import { loadEngine, loadScoringEngine, type LoadedEngine } from '../../shared/compute/provide/load-engine';
import { loadKernels } from '../../shared/compute/kernels/kernels-addon';
import type { WeightArrays } from '../../shared/compute/network/network';
import { createUniform } from '../../shared/runtime/random';
import { fileNeeds, libtensorflow } from '../support/needs';
import { randomEncoderWeights } from '../support/encoder-weights';
import { referenceEncode } from '../support/reference-encoder-network';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

type NativeEncoder = ReturnType<ReturnType<typeof loadKernels>['createAudioEncoder']>;

const { PI, abs, cos, floor, log, max, min } = Math;

function noise(length: number, seed: number): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length }, (_, n) => 0.3 * (uniform() - 0.5) + 0.2 * Math.sin(n / 9));
}

/**
 * The front end from its definition: a reflected, pre-emphasised signal, a discrete Fourier transform by
 * its sum.
 */
function referencePicture(samples: Float32Array): number[] {
  const emphasised = Array.from(
    { length: samples.length - 1 },
    (_, n) => samples[n + 1]! - 0.97 * samples[n]!,
  );
  const padded = [
    ...emphasised.slice(1, 513).reverse(),
    ...emphasised,
    ...emphasised.slice(-513, -1).reverse(),
  ];
  const melOf = (hertz: number): number => 1127 * log(1 + hertz / 700);
  const spacing = melOf(15_000) / (encoderBands + 1);
  const frames = 1 + floor((samples.length - 1) / 320);
  return Array.from({ length: frames }, (_, t) => {
    const windowed = Array.from({ length: 800 }, (__, k) => {
      return padded[320 * t + 112 + k]! * (0.5 - 0.5 * cos((2 * PI * k) / 799));
    });
    const power = Array.from({ length: 512 }, (__, bin) => {
      let [re, im] = [0, 0];
      for (let k = 0; k < 800; k++) {
        const angle = (2 * PI * ((bin * (k + 112)) % 1024)) / 1024;
        re += windowed[k]! * cos(angle);
        im -= windowed[k]! * Math.sin(angle);
      }
      return re * re + im * im;
    });
    return Array.from({ length: encoderBands }, (__, band) => {
      const [left, centre, right] = [band * spacing, (band + 1) * spacing, (band + 2) * spacing];
      const sum = power.reduce((total, value, bin) => {
        const mel = melOf(31.25 * bin);
        return total + value * max(0, min((mel - left) / (centre - left), (right - mel) / (right - centre)));
      }, 0);
      return (log(sum + 0.00001) + 4.5) / 5;
    });
  }).flat();
}

/** A picture [frames][bands] as [bands][frames]. */
function byBand(picture: Float32Array): Float32Array {
  const frames = picture.length / encoderBands;
  return picture.map((_, at) => picture[(at % frames) * encoderBands + floor(at / frames)]!);
}

/** After an engine's name: its inputs are computed on the native kernels. */
const withInputs = ' with native inputs';

/**
 * The engine of that name, or the native kernels for that instruction set; undefined where the processor
 * has it not.
 */
async function engineNamed(name: string, values: WeightArrays): Promise<LoadedEngine | undefined> {
  const encoderWeights = { name: 'mn04_as', values } as const;
  const [wish, inputs] = name.startsWith('wasm')
    ? (['wasm', name.slice(4)] as const)
    : (['cpu', name.slice(3)] as const);
  if (inputs === withInputs)
    return { ...(await loadEngine(await chooseTestEngine(wish, 'inputs'))), encoderWeights };
  const { kernels, ...choice } = await chooseTestEngine(wish, wish === 'wasm' ? 'reference' : 'auto');
  if (name === wish) return { ...(await loadEngine(choice)), encoderWeights };
  if (!loadKernels(kernels!.path).instructionSets().includes(name)) return undefined;
  const native = { ...choice, kernels: { ...kernels!, instructionSet: name } };
  return { ...(await loadScoringEngine(native, { architecture: 'encoder' })), encoderWeights };
}

/** The encoder of the native kernels. */
function nativeEncoder({ kernels }: LoadedEngine, threads: number, weights: WeightArrays): NativeEncoder {
  const { path, instructionSet } = kernels!;
  const native = loadKernels(path).createAudioEncoder({ instructionSet, threads, network: 'mobile-net' });
  native.setWeights(encoderParameters.map(({ name }) => weights[name]!));
  return native;
}

describe('the encoder’s front end', () => {
  it.each([514, 3201])('is what its definition gives, of %i samples', (length) => {
    const samples = noise(length, 3);
    const picture = kaldiMel(samples);
    const expected = referencePicture(samples);
    expect(picture).toHaveLength(kaldiFrames(length) * encoderBands);
    expect(kaldiFrames(length)).toBe(1 + floor((length - 1) / encoderHopSamples));
    expected.forEach((value, at) => {
      expect(abs(picture[at]! - value)).toBeLessThan(1e-5);
    });
  });
});

describe('the encoder’s network', () => {
  const weights = randomEncoderWeights(4);
  // Lengths whose maps have odd numbers of rows and columns, and one too short.
  const windows = [noise(17_000, 1), noise(26_111, 2), noise(17_000, 5), noise(900, 6)];

  it.each(['cpu', `cpu${withInputs}`, 'wasm', `wasm${withInputs}`, 'avx512', 'avx2', 'baseline'])(
    'on %s computes what plain loops do',
    async (name) => {
      const engine = await engineNamed(name, weights);
      if (engine === undefined) return; // this processor lacks the instruction set
      const encoder = createEncoder(engine);
      const outputs = encoder.encode(windows);
      encoder.dispose();
      expect(outputs).toHaveLength(windows.length * encoderOutputs);
      windows.forEach((window, index) => {
        const heard = new Float32Array(max(window.length, 16_000));
        heard.set(window);
        const expected = referenceEncode(weights, kaldiMel(heard));
        const scale = expected.reduce((most, value) => max(most, abs(value)), 0);
        expected.forEach((value, at) => {
          expect(abs(outputs[index * encoderOutputs + at]! - value) / scale).toBeLessThan(1e-5);
        });
      });
    },
  );

  it('computes the network alone on pictures of the front end, in the native kernels', async () => {
    const native = nativeEncoder((await engineNamed('baseline', weights))!, 2, weights);
    const heard = windows.filter(({ length }) => length >= 16_000);
    const expected = native.encode(heard);
    const outputs = native.encodePictures(heard.map((window) => byBand(kaldiMel(window))));
    const scale = expected.reduce((most, value) => max(most, abs(value)), 0);
    expected.forEach((value, at) => {
      expect(abs(outputs[at]! - value) / scale).toBeLessThan(1e-5);
    });
    for (const length of [0, 128 * 49, 128 * 60 + 1]) {
      expect(() => native.encodePictures([new Float32Array(length)])).toThrow(
        '128 bands of at least 50 frames',
      );
    }
    native.dispose();
  });

  it('hears a short sound in a quiet room whole and by itself, where the front end says so', async () => {
    const engine = (await engineNamed('baseline', weights))!;
    const sound = noise(16_000, 7);
    const room = Float32Array.from({ length: 160_000 }, (_, n) => 3e-4 * Math.sin(n * n));
    room.set(sound, 80_000);
    const outputsOf = (frontEnd: EncoderFrontEnd, windows: readonly Float32Array[]) => {
      const inputs = createFrontEndInputs(frontEnd, engine);
      const { features, counts } = inputs.begin(windows)();
      inputs.dispose();
      return { features: features.slice(), counts };
    };
    const { quietDbfs, ...whole } = encoderFrontEnd;
    expect(quietDbfs).toBe(-60);
    const part = room.slice(78_400, 97_600);
    const heard = outputsOf(encoderFrontEnd, [room, sound]);
    expect(heard.counts).toEqual([2, 1]);
    expect(heard.features).toEqual(outputsOf(whole, [room, part, sound]).features);
    expect(outputsOf(whole, [room, sound]).counts).toEqual([1, 1]);
  });

  it.each(['avx512', 'avx2', 'baseline'])(
    'on %s gives a window the same bits in every batch and on any number of threads',
    async (name) => {
      const engine = await engineNamed(name, weights);
      if (engine === undefined) return; // this processor lacks the instruction set
      const [one, two, three] = [1, 2, 3].map((threads) => nativeEncoder(engine, threads, weights));
      const alone = windows.map((window) => one!.encode([window]));
      for (const native of [one!, two!, three!]) {
        for (const size of [1, 2, 7, 32]) {
          const outputs = native.encode(
            Array.from({ length: size }, (_, at) => windows[at % windows.length]!),
          );
          for (let at = 0; at < size; at++) {
            const row = outputs.subarray(at * encoderOutputs, (at + 1) * encoderOutputs);
            expect(row).toEqual(alone[at % windows.length]);
          }
        }
        native.dispose();
      }
    },
  );

  it.each(['avx512', 'avx2', 'baseline'])(
    'on %s gives the windows of a stream the same bits as windows that nothing was heard before',
    async (name) => {
      const engine = await engineNamed(name, weights);
      if (engine === undefined) return; // this processor lacks the instruction set
      const expected = (window: Float32Array): Float32Array => {
        const fresh = nativeEncoder(engine, 1, weights);
        const outputs = fresh.encode([window]);
        fresh.dispose();
        return outputs;
      };
      const streams = [noise(80_000, 7), noise(80_000, 8)];
      // Silence, which is alike everywhere, and then a sound.
      streams[1]!.fill(0, 0, 50_000);
      // Hops of whole frames, of none, and one that is longer than what windows could share.
      for (const hop of [3200, 320, 3201, 0, 39_000]) {
        const listening = nativeEncoder(engine, 2, weights);
        for (let start = 0; start <= 3 * hop && start + 40_000 <= 80_000; start += hop || 80_000) {
          const heard = streams.map((sound) => sound.subarray(start, start + 40_000));
          expect(listening.encode([heard[0]!])).toEqual(expected(heard[0]!));
          // Both streams at once, of which the first one's window is the one before.
          const both = listening.encode(heard);
          heard.forEach((window, index) => {
            const row = both.subarray(index * encoderOutputs, (index + 1) * encoderOutputs);
            expect(row).toEqual(expected(window));
          });
        }
        listening.dispose();
      }
    },
  );

  it('is refused where its weights were not loaded', async () => {
    const engine = await loadEngine(await chooseTestEngine('wasm'));
    expect(() => createEncoder(engine)).toThrow('The encoder was not loaded.');
  });
});
