import * as tf from '@tensorflow/tfjs-core';
import type { EngineWish, KernelsWish } from '../../shared/environment';
import { loadEngine } from '../../shared/compute/provide/load-engine';
import { createWindowScorer } from '../../shared/compute/inference/window-scorer';
import { createMel } from '../../shared/compute/network/mel';
import { fileNeeds, libtensorflow } from '../support/needs';
import { fadingChirp, smallFrontEnd } from '../support/native-ensemble';
import { melWeights } from '../support/native-mel';
import { referenceCrops } from '../support/reference-front-end';
import { referenceMel, softmax } from '../support/reference-mel';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

const classes = 5;
const { sampleRate } = smallFrontEnd;
const short = { ...smallFrontEnd, fftSamples: 64, hopSamples: 50, cropFrames: 40, crops: 3 };
const network = createMel({ architecture: 'mel', width: 12, dropout: 0.3 }, classes);
/** Three on one front end, one on another: all have the same say. */
const members = [smallFrontEnd, short, smallFrontEnd, smallFrontEnd].map((frontEnd, index) => ({
  frontEnd,
  network,
  values: melWeights('mel-small', classes, index + 1),
}));

describe('members of two front ends', () => {
  it.each([
    ['the native kernels', 'cpu', 'native'],
    ['TensorFlow', 'cpu', 'reference'],
    ['TensorFlow with native inputs', 'cpu', 'inputs'],
    ['WebAssembly', 'wasm', 'reference'],
    ['WebAssembly with native inputs', 'wasm', 'inputs'],
  ] as const)('are averaged on %s, as the double-precision ones are', async (_, wish, kernels) => {
    const engine = await loadEngine(await engineOf(wish, kernels));
    const scorer = createWindowScorer(members, engine);
    const windows = [8000, 2500].map((length, seed) => fadingChirp(length, sampleRate, seed));
    const answers = scorer.logits(windows);
    scorer.dispose();
    for (const [index, window] of windows.entries()) {
      // One front end gives three crops, the other four: no member has more to say for that.
      const expected = mean(
        members.map(({ frontEnd, values }) => {
          const crops = referenceCrops(window, frontEnd).map((crop) => Float64Array.from(crop));
          return mean(referenceMel(values, crops, false).map(softmax));
        }),
      );
      const answer = mean(answers[index]!.map(softmax));
      expected.forEach((probability, label) => {
        expect(Math.abs(answer[label]! - probability)).toBeLessThan(1e-5);
      });
    }
  });
});

describe('networks on TensorFlow with native inputs', () => {
  it('are read back once a batch, and begin a batch before the one ahead of it is read', async () => {
    const engine = await loadEngine(await engineOf('cpu', 'inputs'));
    const scorer = createWindowScorer(members, engine);
    const batches = [1, 2].map((seed) =>
      [8000, 2500].map((length) => fadingChirp(length, sampleRate, seed * length)),
    );
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

function mean(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, label) => rows.reduce((sum, row) => sum + row[label]!, 0) / rows.length);
}

async function engineOf(wish: EngineWish, kernels: KernelsWish): ReturnType<typeof chooseTestEngine> {
  const choice = await chooseTestEngine(wish, kernels);
  const computes = { native: 'networks', inputs: 'inputs', reference: undefined, auto: undefined }[kernels];
  expect(choice.kernels?.computes).toBe(computes);
  return choice;
}
