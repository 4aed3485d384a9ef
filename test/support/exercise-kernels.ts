import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { createResampler } from '../../shared/signal/resample';
import { encoderParameters } from '../../shared/compute/network/encoder-weights';
import { encoderBands } from '../../shared/encoder/mobile-net';
import { nativeResampling } from '../../shared/compute/kernels/native-resampling';
import { addonBatch, addonCnn, cnnShapes, cnnWeights, noiseClips } from './native-cnn';
import { randomEncoderWeights } from './encoder-weights';
import { addonEnsemble, fadingChirp, smallFrontEnd } from './native-ensemble';
import { addonMel, addonMelBatch, melBatch, melWeights } from './native-mel';
import { addonTransformer, transformerWeights } from './native-transformer';

/**
 * Runs every kernel on odd sizes, for a process whose addon is built with sanitizers: they end it where
 * memory is touched that is not the kernels' own. `node exercise-kernels.js ADDON`
 */
function main(path: string): void {
  const addon = loadKernels(path);
  for (const instructionSet of addon.instructionSets()) {
    for (const [samples, clips] of [
      [64, 1],
      [77, 17],
      [131, 3],
      [1537, 2],
      [6151, 1],
    ] as const) {
      const size = { samples, classes: 3 };
      const cnn = addonCnn(addon, size, cnnWeights(size, 1), { instructionSet, dropout: 0.1 });
      const zeros = Object.values(cnnShapes(size)).map((length) => new Float32Array(length));
      cnn.setMoments(zeros, zeros);
      // Arrays of their very length: a read beyond their end is seen.
      const [features, labels, masks] = addonBatch(noiseClips(size, clips, 2));
      cnn.logits(features, clips);
      cnn.gradients(features, labels, masks);
      cnn.step(features, labels, masks, 0.01, 1);
      cnn.logits(features.slice(0, samples), 1);
      cnn.dispose();
      exerciseTransformers(addon, { ...size, instructionSet }, clips);
    }
    const size = { samples: 512, classes: 3 };
    const cached = addonCnn(addon, size, cnnWeights(size, 1), {
      instructionSet,
      cachedFrames: 3,
      frameSamples: 128,
    });
    for (const seed of [1, 2, 1]) cached.logits(addonBatch(noiseClips(size, 2, seed))[0], 2);
    cached.dispose();
    exerciseMel(addon, instructionSet);
    exerciseEnsemble(addon, instructionSet);
    exerciseResampler(path, instructionSet);
    exerciseEncoder(addon, instructionSet);
  }
  process.stdout.write('clean\n');
}

function exerciseEncoder(addon: KernelsAddon, instructionSet: string): void {
  const encoder = addon.createAudioEncoder({ instructionSet, threads: 2, network: 'mobile-net' });
  const weights = randomEncoderWeights(3);
  encoder.setWeights(encoderParameters.map(({ name }) => weights[name]!));
  const sound = Float32Array.from({ length: 40_961 }, (_, n) => Math.sin(n / 7));
  const windows = [0, 1, 2, 15_999, 16_000, 16_001, 20_481, 40_961].map((length) => sound.slice(0, length));
  encoder.encode(windows);
  for (const window of windows) encoder.encode([window]);
  for (const frames of [50, 51, 97, 128]) encoder.encodePictures([sound.slice(0, encoderBands * frames)]);
  encoder.dispose();
}

function exerciseTransformers(
  addon: KernelsAddon,
  size: { samples: number; classes: number; instructionSet: string },
  clips: number,
): void {
  for (const heads of [1, 2, 4] as const) {
    const weights = transformerWeights({ heads, hidden: 5 }, size.classes, 1);
    const transformer = addonTransformer(addon, { ...size, heads, hidden: 5 }, weights, { dropout: 0.1 });
    const zeros = Object.values(weights).map(({ length }) => new Float32Array(length));
    transformer.setMoments(zeros, zeros);
    const [features, labels, masks] = addonBatch(noiseClips(size, clips, 2), dropoutPlaces.transformer);
    transformer.logits(features, clips);
    transformer.step(features, labels, masks, 0.01, 1);
    transformer.dispose();
  }
}

function exerciseMel(addon: KernelsAddon, instructionSet: string): void {
  const weights = melWeights('mel-small', 3, 1);
  const mel = addonMel(addon, 'mel-small', 3, weights, { instructionSet, dropout: 0.3 });
  const zeros = Object.values(weights).map(({ length }) => new Float32Array(length));
  mel.setMoments(zeros, zeros);
  mel.setAverages(Object.values(weights));
  for (const [frames, clips] of [
    [15, 1],
    [23, 5],
    [16, 9],
  ] as const) {
    const { batch, targets } = addonMelBatch(melBatch(clips, frames, 3, frames));
    mel.logits(batch[0], clips);
    mel.gradients(...batch);
    mel.step(...batch, 0.01, 1, targets);
  }
  mel.dispose();
}

function exerciseEnsemble(addon: KernelsAddon, instructionSet: string): void {
  for (const [fftSamples, cropFrames] of [
    [16, 15],
    [256, 30],
    [512, 41],
  ] as const) {
    const frontEnd = { ...smallFrontEnd, fftSamples, cropFrames };
    const ensemble = addonEnsemble(addon, { frontEnd, instructionSet });
    for (const length of [0, 1, 77, 2000, 8000, 9000]) ensemble.logits([fadingChirp(length, 8000)]);
    ensemble.logits([8000, 3, 1234].map((length) => fadingChirp(length, 8000)));
    ensemble.dispose();
  }
}

function exerciseResampler(path: string, instructionSet: string): void {
  for (const [fromHz, toHz] of [
    [44_100, 16_000],
    [48_000, 16_000],
    [16_000, 44_100],
  ] as const) {
    const resampler = createResampler(fromHz, toHz, nativeResampling({ path, instructionSet }));
    for (const length of [0, 1, 3, 77, 2000, 5001]) resampler.push(fadingChirp(length, fromHz));
    resampler.finish();
  }
}

main(process.argv[2]!);
