import { melFrontEnd } from '../../shared/contracts/front-end';
import { loadEngine } from '../../shared/compute/provide/load-engine';
import { createWindowScorer } from '../../shared/compute/inference/window-scorer';
import { createMel } from '../../shared/compute/network/mel';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import { fadingChirp } from '../support/native-ensemble';

describe('the networks of a version on WebAssembly', () => {
  it.each([undefined, true as const])(
    'answer the same on one thread, two and three, also more windows than a thread takes at once (familiarity: %s)',
    async (familiarity) => {
      const network = createMel(
        { architecture: 'mel-small', dropout: 0.3, ...(familiarity && { familiarity }) },
        4,
      );
      const members = [1, 2, 3].map((seed) => initialWeights(network, seed));
      const windows = Array.from({ length: 9 }, (_, seed) => fadingChirp(20_000, 44_100, seed));
      const outcomes = [];
      for (const threads of [1, 2, 3]) {
        const engine = await loadEngine({ kind: 'wasm', threads });
        const scorer = createWindowScorer(network, members, melFrontEnd, engine);
        const one = scorer.logits(windows.slice(0, 1));
        const all = scorer.logits(windows);
        expect(all.map((rows) => rows.length)).toEqual(new Array(9).fill(9));
        outcomes.push({ one, all, again: scorer.logits(windows) });
        scorer.dispose();
      }
      expect(outcomes[0]!.all[0]).not.toEqual(outcomes[0]!.all[1]);
      expect(outcomes[1]).toEqual(outcomes[0]);
      expect(outcomes[2]).toEqual(outcomes[0]);
    },
  );
});
