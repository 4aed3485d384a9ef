import * as tf from '@tensorflow/tfjs-core';
import { smallFrontEnd, type FramesFrontEnd } from '../../shared/contracts/front-end';
import type { EngineWish, KernelsWish } from '../../shared/environment';
import { loadEngine, type LoadedEngine } from '../../shared/compute/provide/load-engine';
import { createWindowScorer } from '../../shared/compute/inference/window-scorer';
import { createNetwork } from '../../shared/compute/network/create-network';
import { smallEncoderNetwork } from '../../shared/compute/network/encoder-networks';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import type { Member } from '../../shared/compute/network/members';
import { classLogits } from '../../shared/decision/rejection';
import { softmax } from '../../shared/decision/softmax';
import { createUniform } from '../../shared/runtime/random';
import { fileNeeds, libtensorflow } from '../support/needs';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const classes = 5;
const { sampleRate } = smallFrontEnd;
/** The encoder's rate, and as many samples in all as the network takes. */
const frames: FramesFrontEnd = {
  kind: 'frames',
  sampleRate,
  windowSeconds: 2.5,
  frameSeconds: 0.5,
  hopSeconds: 0.25,
};
const cnn = createNetwork({ architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' }, classes);
const head = createNetwork({ architecture: 'small' }, classes);

function memberOf(frontEnd: Member['frontEnd'], network: Member['network'], seed: number): Member {
  return { frontEnd, network, values: initialWeights(network, seed) };
}

/** Three on one front end, one on another: all have the same say. */
const members = [
  memberOf(smallFrontEnd, head, 1),
  memberOf(frames, cnn, 2),
  memberOf(smallFrontEnd, head, 3),
  memberOf(smallFrontEnd, head, 4),
];

/** A chirp over noise; `quietSamples` of silence behind it, which the encoder's front end also leaves out. */
function chirp(length: number, quietSamples: number, seed: number): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length: length + quietSamples }, (_, i) => {
    const seconds = i / sampleRate;
    const tone = Math.sin(2 * Math.PI * (200 + 900 * seconds) * seconds);
    return i < length ? 0.5 * tone + 0.1 * (uniform() - 0.5) : 0;
  });
}

describe('members of two front ends', () => {
  it.each([
    ['the native kernels', 'cpu', 'native'],
    ['TensorFlow', 'cpu', 'reference'],
    ['TensorFlow with native inputs', 'cpu', 'inputs'],
    ['WebAssembly', 'wasm', 'reference'],
    ['WebAssembly with native inputs', 'wasm', 'inputs'],
  ] as const)('are averaged on %s, as each answers alone', async (_, wish, kernels) => {
    const engine = await engineOf(wish, kernels);
    const windows = [chirp(80_000, 0, 1), chirp(30_000, 50_000, 2)];
    const answers = logitsOf(members, windows, engine);
    const alone = members.map((member) => logitsOf([member], windows, engine));
    // The encoder's front end gives two inputs of the second window, the other one.
    expect(alone.map((rows) => rows[1]!.length)).toEqual([2, 1, 2, 2]);
    for (const index of windows.keys()) {
      // No member has more to say because it has more inputs.
      const expected = mean(alone.map((rows) => mean(rows[index]!.map(probabilitiesOf))));
      const answer = mean(answers[index]!.map(probabilitiesOf));
      expected.forEach((probability, label) => {
        expect(Math.abs(answer[label]! - probability)).toBeLessThan(1e-5);
      });
    }
  });
});

describe('networks on TensorFlow with native inputs', () => {
  it('are read back once a batch, and begin a batch before the one ahead of it is read', async () => {
    const engine = await engineOf('cpu', 'inputs');
    const other = { ...frames, windowSeconds: 5, frameSeconds: 1, hopSeconds: 0.5, sampleRate: 16_000 };
    const scorer = createWindowScorer([memberOf(frames, cnn, 1), memberOf(other, cnn, 2)], engine);
    const batches = [1, 2].map((seed) => [80_000, 25_000].map((length) => chirp(length, 0, seed * length)));
    const expected = batches.map((batch) => scorer.logits(batch));
    const reading = jest.spyOn(tf.backend(), 'readSync');
    const tensors = tf.memory().numTensors;
    const reads = batches.map((batch) => scorer.begin(batch));
    expect(reading).not.toHaveBeenCalled();
    expect(reads.map((read) => read())).toEqual(expected);
    expect(reading).toHaveBeenCalledTimes(batches.length);
    expect(tf.memory().numTensors).toBe(tensors);
    reading.mockRestore();
    scorer.dispose();
  });
});

function logitsOf(
  own: readonly Member[],
  windows: readonly Float32Array[],
  engine: LoadedEngine,
): Float32Array[][] {
  const scorer = createWindowScorer(own, engine);
  const logits = scorer.logits(windows);
  scorer.dispose();
  return logits;
}

function probabilitiesOf(row: Float32Array): number[] {
  return [...softmax(classLogits(row, classes))];
}

function mean(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, label) => rows.reduce((sum, row) => sum + row[label]!, 0) / rows.length);
}

async function engineOf(wish: EngineWish, kernels: KernelsWish): Promise<LoadedEngine> {
  const choice = await chooseTestEngine(wish, kernels);
  const computes = { native: 'networks', inputs: 'inputs', reference: undefined, auto: undefined }[kernels];
  expect(choice.kernels?.computes).toBe(computes);
  const encoderWeights = { name: 'small', values: initialWeights(smallEncoderNetwork, 9) } as const;
  return { ...(await loadEngine(choice)), encoderWeights };
}
