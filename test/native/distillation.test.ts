import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { createUniform } from '../../shared/runtime/random';
import { expectClose, forEachSet } from '../support/kernel-checks';
import { addonMel, addonMelBatch, melBatch, melNetwork, melWeights } from '../support/native-mel';
import { referenceMelPass } from '../support/reference-mel-gradients';
import { provideTestKernels } from '../support/test-engine';

let addon: KernelsAddon;

beforeAll(async () => {
  addon = loadKernels(await provideTestKernels());
});

const [outputs, taught, clips] = [9, 4, 3];

/** Features of any size, then probabilities. */
function lessonTargets(): number[][] {
  const uniform = createUniform(5);
  return Array.from({ length: clips }, () =>
    Array.from({ length: outputs }, (_, k) => (k < taught ? 6 * uniform() - 3 : uniform())),
  );
}

describe('the native network that learns another one’s outputs', () => {
  it.each([15, 37])('gives every gradient of double-precision loops: %i frames', (frames) => {
    const weights = melWeights('mel-small', outputs, frames);
    const given = { ...melBatch(clips, frames, outputs, frames + 2), targets: lessonTargets() };
    const expected = referenceMelPass(weights, given.crops, given.targets, 0, given.seed, taught);
    const { batch, targets } = addonMelBatch(given);
    forEachSet(addon, (instructionSet) => {
      const student = addonMel(addon, 'mel-small', outputs, weights, { instructionSet, taught });
      const { loss, gradients } = student.gradients(...batch, targets);
      expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
      melNetwork('mel-small', outputs).parameters.forEach(({ name }, index) => {
        const gradient = expected.gradients[name];
        if (gradient !== undefined) expectClose(gradients[index]!, gradient, 1e-3);
      });
      student.dispose();
    });
  });

  it('takes any finite feature and only probabilities of tags', () => {
    const student = addonMel(addon, 'mel-small', outputs, melWeights('mel-small', outputs, 1), { taught });
    const { batch } = addonMelBatch(melBatch(1, 15, outputs, 1));
    const targets = (at: number, value: number): Float32Array =>
      new Float32Array(outputs).fill(0.5).map((usual, k) => (k === at ? value : usual));
    expect(student.gradients(...batch, targets(taught - 1, -40)).loss).toBeGreaterThan(100);
    expect(() => student.gradients(...batch, targets(taught - 1, NaN))).toThrow(
      `at ${taught - 1} is not finite`,
    );
    expect(() => student.gradients(...batch, targets(taught, -0.1))).toThrow(`at ${taught} is not a share`);
    expect(() => addonMel(addon, 'mel-small', outputs, {}, { taught: outputs })).toThrow('taught');
    student.dispose();
  });
});
