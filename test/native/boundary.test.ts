import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { createUniform } from '../../shared/runtime/random';
import { addonBatch, addonCnn, cnnShapes, cnnWeights, noiseClips, type CnnSize } from '../support/native-cnn';
import { randomEncoderWeights } from '../support/encoder-weights';
import { addonLesson, addonSmall, smallLesson, smallWeights } from '../support/native-small';
import { provideTestKernels } from '../support/test-engine';

const size: CnnSize = { samples: 1000, classes: 3 };
const weights = cnnWeights(size, 1);
const lengths = Object.values(cnnShapes(size));
let addon: KernelsAddon;
let path: string;

beforeAll(async () => {
  path = await provideTestKernels();
  addon = loadKernels(path);
});

/** The addon as untyped callers see it. */
type Loose = Record<string, (...args: unknown[]) => unknown>;

function looseCnn(): Loose {
  const cnn = addonCnn(addon, size, weights);
  const zeros = lengths.map((length) => new Float32Array(length));
  cnn.setMoments(zeros, zeros);
  return cnn as unknown as Loose;
}

function looseSmall(): Loose {
  const values = smallWeights('narrow', 3, 1);
  const student = addonSmall(addon, 'narrow', 3, values);
  const zeros = Object.values(values).map(({ length }) => new Float32Array(length));
  student.setMoments(zeros, zeros);
  return student as unknown as Loose;
}

const encoderTensors = Object.values(randomEncoderWeights(1));

function looseEncoder(): Loose {
  const network = 'mobile-net';
  const encoder = addon.createAudioEncoder({ instructionSet: 'baseline', threads: 2, network });
  encoder.setWeights(encoderTensors);
  return encoder as unknown as Loose;
}

const networkMethods = [
  ...[
    'logits',
    'step',
    'gradients',
    'setWeights',
    'setMoments',
    'weights',
    'moments',
    'setAverages',
    'averages',
  ],
  'dispose',
];

function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** What is thrown, which must be a TypeError or a RangeError; undefined when nothing is. */
function refusal(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    expect(['TypeError', 'RangeError']).toContain((error as Error).name);
    return (error as Error).message;
  }
  return undefined;
}

describe('the addon', () => {
  const options = {
    instructionSet: 'baseline',
    threads: 1,
    samples: 1000,
    classes: 3,
    dropout: 0,
    cachedFrames: 0,
  };

  it.each([
    [undefined, 'options'],
    [{ ...options, instructionSet: 'avx1024' }, 'avx1024'],
    [{ ...options, instructionSet: 7 }, 'instructionSet'],
    [{ ...options, threads: 0 }, 'threads'],
    [{ ...options, threads: 2.5 }, 'threads'],
    [{ ...options, samples: 63 }, 'samples'],
    [{ ...options, samples: 1e12 }, 'samples'],
    [{ ...options, samples: NaN }, 'samples'],
    [{ ...options, classes: '3' }, 'classes'],
    [{ ...options, dropout: 1 }, 'dropout'],
    [{ ...options, dropout: NaN }, 'dropout'],
    [{ ...options, cachedFrames: -1 }, 'cachedFrames'],
    [{ ...options, cachedFrames: 8, frameSamples: 500 }, 'frameSamples'],
    [{ ...options, cachedFrames: 8 }, 'frameSamples'],
  ])('refuses to make a network of %j and names %s', (given, named) => {
    expect(refusal(() => (addon as unknown as Loose)['createCnn']!(given))).toContain(named);
  });

  it('refuses features that do not fit, are detached, or are not finite', () => {
    const cnn = looseCnn();
    const features = new Float32Array(2000);
    const withNaN = Float32Array.from(features).fill(NaN, 1234, 1235);
    const withInfinity = Float32Array.from(features).fill(-Infinity, 1999);
    for (const [given, count, message] of [
      [features, 1, 'expected a Float32Array of 1000, got 2000'],
      [features, 3, 'expected a Float32Array of 3000, got 2000'],
      [detached(2000), 2, 'got 0'],
      [new Float64Array(2000), 2, 'a Float32Array'],
      [[0, 1], 2, 'a Float32Array'],
      [null, 2, 'a Float32Array'],
      [withNaN, 2, 'at 1234 is not finite'],
      [withInfinity, 2, 'at 1999 is not finite'],
      [features, 0, 'size'],
      [features, -1, 'size'],
      [features, 4_294_967_298, 'size'],
      [features, undefined, 'size'],
    ] as const) {
      expect(refusal(() => cnn['logits']!(given, count))).toContain(message);
    }
    expect(refusal(() => cnn['logits']!(features, 2))).toBeUndefined();
  });

  it('refuses labels, masks, rates and steps that do not fit', () => {
    const cnn = looseCnn();
    const [features, labels, masks] = addonBatch(noiseClips(size, 2, 1));
    for (const [args, message] of [
      [[features, Int32Array.of(0, 3), masks, 0.01, 1], '3 is not one of 3 classes'],
      [[features, Int32Array.of(0, -1), masks, 0.01, 1], '-1'],
      [[features, new Int32Array(0), masks, 0.01, 1], 'labels'],
      [[features, [0, 1], masks, 0.01, 1], 'labels'],
      [[features, labels, masks.subarray(1), 0.01, 1], 'masks'],
      [[features, labels, labels, 0.01, 1], 'masks'],
      [[features, labels, masks, NaN, 1], 'learningRate'],
      [[features, labels, masks, -1, 1], 'learningRate'],
      [[features, labels, masks, 0.01, 0], 'step'],
      [[features, labels, masks, 0.01], 'step'],
      [[features.subarray(1), labels, masks, 0.01, 1], 'features'],
    ] as const) {
      expect(refusal(() => cnn['step']!(...args))).toContain(message);
    }
    expect(refusal(() => cnn['step']!(features, labels, masks, 0.01, 1))).toBeUndefined();
  });

  it('refuses tensors that do not fit and keeps the weights it has', () => {
    const cnn = looseCnn();
    const [features] = addonBatch(noiseClips(size, 1, 2));
    const before = cnn['logits']!(features, 1);
    const tensors = Object.values(weights);
    const ragged = tensors.map((tensor, index) => (index === 9 ? tensor.subarray(1) : tensor));
    expect(refusal(() => cnn['setWeights']!(tensors.slice(1)))).toContain('10 tensors');
    expect(refusal(() => cnn['setWeights']!(ragged))).toContain('weights[9]');
    expect(refusal(() => cnn['setWeights']!(new Float32Array(10)))).toContain('weights');
    expect(refusal(() => cnn['setMoments']!(tensors))).toContain('second moments');
    expect(cnn['logits']!(features, 1)).toEqual(before);
  });

  it.each([
    [{ width: 10 }, 'width'],
    [{ width: 0 }, 'width'],
    [{ width: 1e6 }, 'width'],
    [{ head: 24 }, 'head'],
    [{ head: '64' }, 'head'],
    [{ beta2: 1 }, 'beta2'],
    [{ beta2: NaN }, 'beta2'],
    [{ weightDecay: -0.1 }, 'weightDecay'],
    [{ averageDecay: undefined }, 'averageDecay'],
    [{ outputs: 1 }, 'outputs'],
    [{ features: 0 }, 'features'],
    [{ features: 5 }, 'features'],
  ])('refuses to make a small network of %j and names %s', (given, named) => {
    const sizes = { width: 12, head: 64, outputs: 5, features: 2 };
    const figures = { ...sizes, beta2: 0.99, weightDecay: 0, averageDecay: 0 };
    const make = (): unknown =>
      (addon as unknown as Loose)['createSmallNet']!({ ...options, ...figures, ...given });
    expect(refusal(make)).toContain(named);
  });

  it('refuses pictures of no whole frames, too few or too many, targets that are none, and means it does not keep', () => {
    const student = looseSmall();
    const [features, targets, masks] = addonLesson(smallLesson(2, 16, 3, 1));
    const means = Object.values(smallWeights('narrow', 3, 1));
    const rest = [masks, 0.01, 1] as const;
    for (const [call, message] of [
      [() => student['logits']!(features.subarray(2), 2), 'features'],
      [() => student['logits']!(features, 3), 'features'],
      [() => student['logits']!(new Float32Array(14 * 64), 1), 'features'],
      [() => student['logits']!(new Float32Array(2000 * 64), 1), 'features'],
      [() => student['logits']!(new Float32Array(0), 1), 'features'],
      [() => student['logits']!(detached(1024), 1), 'features'],
      [() => student['logits']!(new Float32Array(64), 1), 'features'],
      [() => student['step']!(features, targets.subarray(1), ...rest), 'targets'],
      [() => student['step']!(features, detached(6), ...rest), 'targets'],
      [() => student['step']!(features, Int32Array.of(0, 1), ...rest), 'targets'],
      [() => student['step']!(features, Int32Array.of(0, 1, 2, 0, 1, 2), ...rest), 'targets'],
      [() => student['step']!(features, new Float32Array(6).fill(NaN), ...rest), 'at 0'],
      [() => student['gradients']!(features, new Float32Array(6).fill(2), masks), 'at 2'],
      [() => student['gradients']!(features, targets, new Uint32Array(2)), 'masks'],
      [() => student['averages']!(), 'no averages'],
      [() => student['setAverages']!(means.slice(1)), 'averages'],
      [() => looseCnn()['setAverages']!(Object.values(weights)), 'averages'],
      [() => looseCnn()['gradients']!(new Float32Array(2000), targets, new Uint32Array(8)), 'labels'],
    ] as const) {
      expect(refusal(call)).toContain(message);
    }
    expect(refusal(() => student['step']!(features, targets, ...rest))).toBeUndefined();
  });

  it.each([
    [{ threads: 0 }, 'threads'],
    [{ instructionSet: 'z80' }, 'z80'],
    [{ network: 'large' }, 'network'],
    [{ network: undefined }, 'network'],
  ])('refuses to make an encoder of %j and names %s', (given, named) => {
    const figures = { instructionSet: 'baseline', threads: 1, network: 'small' };
    const make = (): unknown => (addon as unknown as Loose)['createAudioEncoder']!({ ...figures, ...given });
    expect(refusal(make)).toContain(named);
  });

  it('refuses windows and weights of an encoder that do not fit, and survives getters that dispose of it', () => {
    const encoder = looseEncoder();
    const window = new Float32Array(8000);
    for (const [call, message] of [
      [() => encoder['encode']!(window), 'windows'],
      [() => encoder['encode']!([]), 'windows'],
      [() => encoder['pictures']!(new Array(1025).fill(window)), 'windows'],
      [() => encoder['encode']!([window, null]), 'windows[1]'],
      [() => encoder['encode']!([new Float64Array(8000)]), 'windows[0]'],
      [() => encoder['encode']!([window, Float32Array.of(0, Infinity)]), 'at 1 is not finite'],
      [() => encoder['encodePictures']!([window]), 'pictures'],
      [() => encoder['setWeights']!(encoderTensors.slice(1)), 'weights'],
      [() => encoder['setWeights']!([window, ...encoderTensors.slice(1)]), 'weights[0]'],
    ] as const) {
      expect(refusal(call)).toContain(message);
    }
    const before = encoder['encode']!([window]);
    // A detached window is an empty one, and that is silence.
    expect(encoder['encode']!([detached(8000)])).toBeDefined();
    expect(encoder['encode']!([window])).toEqual(before);
    const treacherous: unknown[] = [window, window];
    Object.defineProperty(treacherous, 1, {
      get: () => {
        structuredClone(window.buffer, { transfer: [window.buffer] });
        encoder['dispose']!();
        return new Float32Array(8000);
      },
    });
    expect(refusal(() => encoder['encode']!(treacherous))).toContain('disposed');
    const bare = Reflect.construct((encoder as object).constructor, []) as Loose;
    expect(refusal(() => bare['encode']!([new Float32Array(8000)]))).toContain('factory');
  });

  it('refuses to resample what does not fit', () => {
    const loose = addon as unknown as Loose;
    const figures = { instructionSet: 'baseline', up: 2, down: 3, taps: 32, rows: new Float32Array(64) };
    for (const [given, message] of [
      [{ up: 0 }, 'up'],
      [{ up: 1 << 20, taps: 16 }, 'taps'],
      [{ taps: 31, rows: new Float32Array(62) }, 'taps'],
      [{ down: 5 }, 'down'],
      [{ down: NaN }, 'down'],
      [{ rows: new Float32Array(63) }, 'rows'],
      [{ rows: detached(64) }, 'rows'],
      [{ instructionSet: 'z80' }, 'z80'],
    ] as const) {
      expect(refusal(() => loose['createResampler']!({ ...figures, ...given }))).toContain(message);
    }
    const resampler = loose['createResampler']!(figures) as Loose;
    const signal = new Float32Array(100);
    for (const [args, message] of [
      [[[], 0, 0, 1], 'signal'],
      [[new Float64Array(9), 0, 0, 1], 'signal'],
      [[signal, -1, 0, 1], 'start'],
      [[signal, 0, 2 ** 60, 1], 'first'],
      [[signal, 0, 0.5, 1], 'first'],
      [[signal, 0, 0, -1], 'count'],
      [[signal, 0, 0, 2 ** 31], 'count'],
      [[signal, 0, 0], 'count'],
    ] as const) {
      expect(refusal(() => resampler['compute']!(...args))).toContain(message);
    }
    // Outputs of no known sample are those of silence.
    for (const args of [
      [detached(100), 0, 0, 9],
      [signal, 2 ** 46, 0, 9],
      [signal, 0, 2 ** 46, 9],
      [signal, 50, 7, 9],
    ]) {
      expect(resampler['compute']!(...args)).toEqual(new Float32Array(9));
    }
    expect(resampler['compute']!(signal, 0, 0, 0)).toHaveLength(0);
    const bare = Reflect.construct((resampler as object).constructor, []) as Loose;
    expect(refusal(() => bare['compute']!(signal, 0, 0, 1))).toContain('factory');
  });

  it('survives a caller whose getters dispose of the network', () => {
    const cnn = looseCnn();
    const tensors: unknown[] = Object.values(weights);
    Object.defineProperty(tensors, 3, {
      get: () => {
        cnn['dispose']!();
        return weights['conv2/bias'];
      },
    });
    expect(refusal(() => cnn['setWeights']!(tensors))).toContain('disposed');
    expect(refusal(() => cnn['logits']!(new Float32Array(1000), 1))).toContain('disposed');
    expect(refusal(() => cnn['dispose']!())).toBeUndefined();
  });

  it('refuses methods on what is no network, and networks made without a factory', () => {
    const cnn = looseCnn();
    expect(refusal(() => cnn['logits']!.call({}, new Float32Array(1000), 1))).toBeDefined();
    const bare = Reflect.construct((cnn as object).constructor, []) as Loose;
    expect(refusal(() => bare['weights']!())).toContain('factory');
  });

  it.each([
    ['cnn', looseCnn, networkMethods],
    ['small network', looseSmall, networkMethods],
    ['encoder', looseEncoder, ['encode', 'pictures', 'encodePictures', 'setWeights', 'dispose']],
  ])(
    'answers two thousand random calls of a %s with a result, a TypeError or a RangeError',
    (name, make, methods) => {
      const uniform = createUniform(5);
      const pick = <T>(values: readonly T[]): T => values[Math.floor(uniform() * values.length)]!;
      const isSmall = name === 'small network';
      const lesson = addonLesson(smallLesson(2, 16, 3, 3));
      const [features, labels, masks] = isSmall ? lesson : addonBatch(noiseClips(size, 2, 3));
      const tensors = Object.values(isSmall ? smallWeights('narrow', 3, 1) : weights);
      const values: readonly unknown[] = [
        ...[
          undefined,
          null,
          true,
          0,
          1,
          2,
          -1,
          0.5,
          NaN,
          Infinity,
          2 ** 31,
          2 ** 53,
          '',
          'conv1',
          Symbol('s'),
        ],
        ...[{}, [], () => 1, new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), 10n, new Proxy([], {})],
        ...[
          features,
          labels,
          masks,
          tensors,
          features.subarray(0, 1000),
          detached(1000),
          new Uint8Array(1000),
        ],
        ...[new Float32Array(new SharedArrayBuffer(4000)), Float32Array.of(NaN), tensors.slice(0, 9)],
        ...[lesson[1], [features], [features, features.subarray(0, 1000)], [detached(1000)]],
        ...[[Float32Array.of(NaN)], encoderTensors],
      ];
      let network = make();
      let refused = 0;
      for (let call = 0; call < 2000; call++) {
        const method = pick(methods);
        const args = Array.from({ length: Math.floor(uniform() * 6) }, () => pick(values));
        if (refusal(() => network[method]!(...args)) !== undefined) refused += 1;
        if (method === 'dispose') network = make();
      }
      expect(refused).toBeGreaterThan(500);
      const good = (): unknown =>
        name === 'encoder' ? network['encode']!([features]) : network['logits']!(features, 2);
      expect(refusal(good)).toBeUndefined();
    },
  );

  it('computes the same in several JavaScript threads at once, and their end takes the networks along', async () => {
    const [features] = addonBatch(noiseClips(size, 2, 4));
    const code = `
      const { parentPort, workerData: { path, weights, features, size } } = require('node:worker_threads');
      const addon = require(path);
      const cnn = addon.createCnn({ ...size, instructionSet: addon.instructionSets()[0], threads: 3, dropout: 0, cachedFrames: 0 });
      cnn.setWeights(weights);
      let logits;
      for (let i = 0; i < 50; i++) logits = cnn.logits(features, 2);
      parentPort.postMessage(logits);`;
    const workerData = { path, weights: Object.values(weights), features, size };
    const expected = looseCnn()['logits']!(features, 2);
    const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true, workerData }));
    const ends = workers.map((worker) => once(worker, 'exit'));
    for (const [logits] of (await Promise.all(
      workers.map((worker) => once(worker, 'message')),
    )) as unknown[][])
      expect(logits).toEqual(expected);
    await Promise.all(ends);
  });
});
