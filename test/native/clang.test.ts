import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { buildKernels } from '../../shared/compute/provide/build-kernels';
import { engineCacheFolder } from '../../shared/environment';
import { expectClose } from '../support/kernel-checks';
import { addonBatch, noiseClips } from '../support/native-cnn';
import { addonEnsemble, fadingChirp, smallFrontEnd } from '../support/native-ensemble';
import { addonMel, addonMelBatch, melBatch, melWeights } from '../support/native-mel';
import { addonTransformer, transformerWeights } from '../support/native-transformer';
import { describeWith, optional, program } from '../support/needs';
import { provideTestKernels } from '../support/test-engine';

type Work = (addon: KernelsAddon, instructionSet: string) => readonly Float32Array[];

const melGradients: Work = (addon, instructionSet) => {
  const weights = melWeights('mel-small', 3, 1);
  const mel = addonMel(addon, 'mel-small', 3, weights, { instructionSet, dropout: 0.3 });
  const { gradients } = mel.gradients(...addonMelBatch(melBatch(5, 23, 3, 1)).batch);
  mel.dispose();
  return gradients;
};

const transformerGradients: Work = (addon, instructionSet) => {
  const size = { samples: 1537, classes: 3, heads: 2, hidden: 5 } as const;
  const weights = transformerWeights(size, size.classes, 1);
  const transformer = addonTransformer(addon, { ...size, instructionSet }, weights, { dropout: 0.1 });
  const { gradients } = transformer.gradients(
    ...addonBatch(noiseClips(size, 3, 2), dropoutPlaces.transformer),
  );
  transformer.dispose();
  return gradients;
};

const ensembleLogits: Work = (addon, instructionSet) => {
  const frontEnd = { ...smallFrontEnd, fftSamples: 256, cropFrames: 30 };
  const ensemble = addonEnsemble(addon, { frontEnd, instructionSet });
  const { logits } = ensemble.logits([8000, 1234].map((length) => fadingChirp(length, 8000)));
  ensemble.dispose();
  return [logits];
};

// The other tests of this folder run on clang's kernels too where CXX=clang++ is set.
describeWith(optional(program('clang++')))('the native kernels, compiled by clang++', () => {
  it.each([
    ['gradients of mel', melGradients],
    ['gradients of the transformer', transformerGradients],
    ['logits of an ensemble', ensembleLogits],
  ])(
    'compute %s as those of g++ do, on every instruction set',
    async (_, work) => {
      const addons = [await clangKernels(), await provideTestKernels()].map(loadKernels);
      const [ofClang, ofGcc] = [addons[0]!, addons[1]!];
      expect(ofClang.instructionSets()).toEqual(ofGcc.instructionSets());
      for (const instructionSet of ofGcc.instructionSets()) {
        const expected = work(ofGcc, instructionSet);
        work(ofClang, instructionSet).forEach((tensor, index) => {
          expectClose(tensor, expected[index]!, 1e-4);
        });
      }
    },
    600_000,
  );
});

async function clangKernels(): Promise<string> {
  const before = process.env['CXX'];
  process.env['CXX'] = 'clang++';
  try {
    return await buildKernels({
      cacheFolder: engineCacheFolder(),
      onProgress: () => undefined,
    });
  } finally {
    if (before === undefined) delete process.env['CXX'];
    else process.env['CXX'] = before;
  }
}
