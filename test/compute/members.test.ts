import type { EngineWish } from '../../shared/environment';
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
    ['WebAssembly', 'wasm', 'reference'],
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

function mean(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, label) => rows.reduce((sum, row) => sum + row[label]!, 0) / rows.length);
}

async function engineOf(
  wish: EngineWish,
  kernels: 'native' | 'reference',
): ReturnType<typeof chooseTestEngine> {
  const choice = await chooseTestEngine(wish);
  if (kernels === 'native') return choice;
  const { kernels: unused, ...plain } = choice;
  expect(wish === 'wasm' || unused !== undefined).toBe(true);
  return plain;
}
