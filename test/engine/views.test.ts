import type { ViewsFrontEnd } from '../../shared/contracts/front-end';
import type { EngineWish } from '../../shared/engine/choose-engine';
import { loadEngine } from '../../shared/engine/load-engine';
import { createWindowScorer } from '../../shared/engine/window-scorer';
import { createMel } from '../../shared/network/mel';
import { fadingChirp, smallFrontEnd } from '../support/native-ensemble';
import { melWeights } from '../support/native-mel';
import { referenceCrops } from '../support/reference-front-end';
import { referenceMel } from '../support/reference-mel';
import { chooseTestEngine } from '../support/test-engine';

const classes = 5;
const { sampleRate, windowSeconds } = smallFrontEnd;
const short = { ...smallFrontEnd, fftSamples: 64, hopSamples: 50, cropFrames: 40, crops: 3 };
const frontEnd: ViewsFrontEnd = { kind: 'views', sampleRate, windowSeconds, views: [smallFrontEnd, short] };
const network = createMel({ architecture: 'mel', width: 12, dropout: 0.3 }, classes);
const members = [1, 2, 3, 4].map((seed) => melWeights('mel-small', classes, seed));

function softmax(logits: ArrayLike<number>): number[] {
  const exponentials = Array.from(logits, (value) => Math.exp(value));
  const sum = exponentials.reduce((total, value) => total + value);
  return exponentials.map((value) => value / sum);
}

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
      // View after view, and what two of them say is never one: each network has weights of its own.
      const expected = frontEnd.views.flatMap((view, turn) => {
        const crops = referenceCrops(window, view).map((crop) => Float64Array.from(crop));
        return members
          .filter((__, member) => member % 2 === turn)
          .flatMap((weights) => referenceMel(weights, crops, false).map(softmax));
      });
      const rows = answers[index]!.map(softmax);
      expect(rows).toHaveLength(expected.length);
      for (const row of rows) {
        const nearest = Math.min(...expected.map((other) => distance(row, other)));
        expect(nearest).toBeLessThan(1e-4);
      }
      for (const other of expected) {
        expect(Math.min(...rows.map((row) => distance(row, other)))).toBeLessThan(1e-4);
      }
    }
  });
});

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

function distance(row: readonly number[], other: readonly number[]): number {
  return Math.max(...row.map((value, index) => Math.abs(value - other[index]!)));
}
