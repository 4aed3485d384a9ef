import type { ViewsFrontEnd } from '../../shared/contracts/front-end';
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
const { sampleRate, windowSeconds } = smallFrontEnd;
const short = { ...smallFrontEnd, fftSamples: 64, hopSamples: 50, cropFrames: 40, crops: 3 };
const frontEnd: ViewsFrontEnd = { kind: 'views', sampleRate, windowSeconds, views: [smallFrontEnd, short] };
const network = createMel({ architecture: 'mel', width: 12, dropout: 0.3 }, classes);
const members = [1, 2, 3, 4].map((seed) => melWeights('mel-small', classes, seed));

describe('networks that hear a window in two ways', () => {
  it.each([
    ['the native kernels', 'cpu', 'native'],
    ['TensorFlow', 'cpu', 'reference'],
    ['WebAssembly', 'wasm', 'reference'],
  ] as const)('take turns at the views on %s, as the double-precision ones do', async (_, wish, kernels) => {
    const engine = await loadEngine(await engineOf(wish, kernels));
    const scorer = createWindowScorer(network, members, frontEnd, engine);
    const windows = [8000, 2500].map((length, seed) => fadingChirp(length, sampleRate, seed));
    const answers = scorer.logits(windows);
    scorer.dispose();
    for (const [index, window] of windows.entries()) {
      // A view is heard in three crops, the other in four: neither has more to say for that.
      const expected = mean(
        frontEnd.views.map((view, turn) => {
          const crops = referenceCrops(window, view).map((crop) => Float64Array.from(crop));
          const its = members.filter((__, member) => member % 2 === turn);
          return mean(its.flatMap((weights) => referenceMel(weights, crops, false).map(softmax)));
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
