import { loadKernels, type KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { dropoutPlaces } from '../../shared/compute/kernels/native-network';
import { createResampler } from '../../shared/signal/resample';
import { encoderNetworks, smallEncoderNetwork } from '../../shared/compute/network/encoder-networks';
import { initialWeights } from '../../shared/compute/network/initial-weights';
import { encoderBands } from '../../shared/encoder/mobile-net';
import { nativeResampling } from '../../shared/compute/kernels/native-resampling';
import { addonBatch, addonCnn, cnnShapes, cnnWeights, noiseClips } from './native-cnn';
import { randomEncoderWeights } from './encoder-weights';
import { addonLesson, addonSmall, smallLesson, smallWeights } from './native-small';
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
    exerciseSmall(addon, instructionSet);
    exerciseResampler(path, instructionSet);
    exerciseEncoder(addon, instructionSet);
  }
  process.stdout.write('clean\n');
}

function exerciseEncoder(addon: KernelsAddon, instructionSet: string): void {
  const sound = Float32Array.from({ length: 40_961 }, (_, n) => Math.sin(n / 7));
  const windows = [0, 1, 2, 15_999, 16_000, 16_001, 20_481, 40_961].map((length) => sound.slice(0, length));
  for (const weights of [randomEncoderWeights(3), initialWeights(smallEncoderNetwork, 3)]) {
    const { native: network, parameters } = encoderNetworks['stem/kernel' in weights ? 'mn04_as' : 'small'];
    const encoder = addon.createAudioEncoder({ instructionSet, threads: 2, network });
    encoder.setWeights(parameters.map(({ name }) => weights[name]!));
    encoder.encode(windows);
    for (const window of windows) encoder.encode([window]);
    for (const frames of [50, 51, 97, 128]) encoder.encodePictures([sound.slice(0, encoderBands * frames)]);
    encoder.dispose();
  }
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

function exerciseSmall(addon: KernelsAddon, instructionSet: string): void {
  const weights = smallWeights('narrow', 5, 1);
  const student = addonSmall(addon, 'narrow', 5, weights, { instructionSet });
  const zeros = Object.values(weights).map(({ length }) => new Float32Array(length));
  student.setMoments(zeros, zeros);
  student.setAverages(Object.values(weights));
  for (const [frames, clips] of [
    [15, 1],
    [23, 5],
    [16, 9],
  ] as const) {
    const lesson = addonLesson(smallLesson(clips, frames, 5, frames));
    student.logits(lesson[0], clips);
    student.gradients(...lesson);
    student.step(...lesson, 0.01, 1);
  }
  student.dispose();
}

function exerciseResampler(path: string, instructionSet: string): void {
  for (const [fromHz, toHz] of [
    [44_100, 16_000],
    [48_000, 16_000],
    [16_000, 44_100],
  ] as const) {
    const resampler = createResampler(fromHz, toHz, nativeResampling({ path, instructionSet }));
    for (const length of [0, 1, 3, 77, 2000, 5001])
      resampler.push(Float32Array.from({ length }, (_, n) => Math.sin(n / 7)));
    resampler.finish();
  }
}

main(process.argv[2]!);
