import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { smallEncoderNetwork } from '../../shared/compute/network/encoder-networks';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import { buildKernels } from '../../shared/compute/provide/build-kernels';
import { engineCacheFolder } from '../../shared/environment';
import { expectClose } from '../support/kernel-checks';
import { addonBatch, noiseClips } from '../support/native-cnn';
import { addonLesson, addonSmall, smallLesson, smallWeights } from '../support/native-small';
import { addonTransformer, transformerWeights } from '../support/native-transformer';
import { describeWith, optional, program } from '../support/needs';
import { provideTestKernels } from '../support/test-engine';

type Work = (addon: KernelsAddon, instructionSet: string) => readonly Float32Array[];

const smallGradients: Work = (addon, instructionSet) => {
  const student = addonSmall(addon, 'narrow', 5, smallWeights('narrow', 5, 1), { instructionSet });
  const { gradients } = student.gradients(...addonLesson(smallLesson(5, 23, 5, 1)));
  student.dispose();
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

const encoderOutputs: Work = (addon, instructionSet) => {
  const encoder = addon.createAudioEncoder({ instructionSet, threads: 2, network: 'small' });
  const weights = initialWeights(smallEncoderNetwork, 1);
  encoder.setWeights(smallEncoderNetwork.parameters.map(({ name }) => weights[name]!));
  const sound = Float32Array.from({ length: 40_000 }, (_, i) => Math.sin(i / 9) * Math.exp(-i / 9000));
  const outputs = encoder.encode([sound, sound.subarray(0, 12_340)]);
  encoder.dispose();
  return [outputs];
};

// The other tests of this folder run on clang's kernels too where CXX=clang++ is set.
describeWith(optional(program('clang++')))('the native kernels, compiled by clang++', () => {
  it.each([
    ['gradients of the small network', smallGradients],
    ['gradients of the transformer', transformerGradients],
    ['outputs of the small encoder', encoderOutputs],
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
