import { encoderFrontEnd } from '../../../shared/contracts/front-end';
import {
  createNativeStudent,
  type NativeStudent,
  type StudentState,
} from '../../../shared/compute/kernels/native-student';
import { loadKernels, type KernelsChoice } from '../../../shared/compute/kernels/kernels-addon';
import { encoderParameters } from '../../../shared/compute/network/encoder-weights';
import { initialWeights } from '../../../shared/compute/network/initial-weights';
import type { WeightArrays } from '../../../shared/compute/network/network';
import { smallEncoderNetwork } from '../../../shared/compute/network/encoder-networks';
import { sigmoid } from '../../../shared/decision/independent-probabilities';
import { encoderFeatures, encoderOutputs } from '../../../shared/encoder/mobile-net';
import { smallPicture } from '../../../shared/encoder/small-picture';
import { concatenate } from '../../../shared/signal/concatenate';
import { createUniform, deriveSeed } from '../../../shared/runtime/random';
import { warmUpThenCosine } from './schedule';
import type { Uniform } from '../outliers/taught/synthesis';
import { augmentPicture } from './augment-picture';
import { mixSounds, type SoundSources } from './mix-sounds';

/** How a small encoder is taught. */
interface Distillation {
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** The recipe's figures that are not asked for. */
const recipe = {
  sampleRate: encoderFrontEnd.sampleRate,
  batchSize: 32,
  warmUp: 0.05,
  optimiser: { beta2: 0.99, weightDecay: 0.02, averageDecay: 0.999 },
  /** How many batches the features' means and deviations are measured on; of a short run, one a step. */
  scaleBatches: 40,
};

/** The longest window, which most batches have; the others' lengths are between half a second and it. */
const windowSeconds = { longest: 5, shortest: 0.5 };
const longestShare = 0.6;
/** Lengths are a multiple of the front end's hop, in samples. */
const hopSamples = 320;

interface DistillationOptions extends Distillation {
  readonly kernels: KernelsChoice;
  /** The weights of the large encoder. */
  readonly teacher: WeightArrays;
  /** Mono at 32 kHz. */
  readonly sounds: SoundSources;
  /** The weights of a small encoder that is to learn more. Absent: a new one learns. */
  readonly start?: WeightArrays | undefined;
  /** Where a run with the same options stopped; absent: at its beginning. */
  readonly state?: DistillationState | undefined;
}

/** All that a run needs to go on. Its features have mean 0 and deviation 1. */
export interface DistillationState extends StudentState {
  readonly step: number;
}

/** One batch, as both encoders hear it. */
interface Lesson {
  readonly features: Float32Array;
  /** [batch, 384 + 527]: the large encoder's outputs. */
  readonly outputs: Float32Array;
}

/** The mean and the deviation of each of the large encoder's features. */
interface Scale {
  readonly means: Float64Array;
  readonly deviations: Float64Array;
}

/**
 * Teaches the small encoder to answer as the large one does, without a label: its features by squared
 * error, its tags by cross-entropy (native/distillation.h). Each step has mixes of its own, which are a
 * function of seed and step, so that a run repeats to the bit on one instruction set.
 */
export class Distiller {
  private readonly teacher;
  private readonly student: NativeStudent;
  private readonly scale: Scale;
  private readonly options: DistillationOptions;
  private step = 0;

  constructor(options: DistillationOptions) {
    this.options = options;
    const { kernels, teacher, state } = options;
    const { path, instructionSet, threads } = kernels;
    this.teacher = loadKernels(path).createAudioEncoder({ instructionSet, threads, network: 'mobile-net' });
    this.teacher.setWeights(encoderParameters.map(({ name }) => teacher[name]!));
    this.student = createNativeStudent(kernels, recipe.optimiser);
    this.scale = this.measureScale();
    const { step, ...begin } = state ?? this.beginning();
    this.step = step;
    this.student.setState(begin);
  }

  /** Takes one step. @returns the loss, the mean over the batch */
  next(): number {
    const { seed, steps, learningRate } = this.options;
    const { batchSize, warmUp } = recipe;
    this.step += 1;
    const uniform = createUniform(deriveSeed(seed, 'step', this.step));
    const { features, outputs } = this.lesson(uniform);
    const { means, deviations } = this.scale;
    const targets = outputs.map((value, index) => {
      const output = index % encoderOutputs;
      return output < encoderFeatures ? (value - means[output]!) / deviations[output]! : sigmoid(value);
    });
    const rate = learningRate * warmUpThenCosine(this.step - 1, steps, warmUp);
    return this.student.step(features, targets, rate, this.step) / batchSize;
  }

  /** The small encoder's weights so far: their running means, in the large encoder's units. */
  weights(): WeightArrays {
    return scaled(this.student.averages(), this.scale, 'to encoder');
  }

  state(): DistillationState {
    return { step: this.step, ...this.student.state() };
  }

  dispose(): void {
    this.teacher.dispose();
    this.student.dispose();
  }

  private beginning(): DistillationState {
    const { start, seed } = this.options;
    const weights =
      start === undefined
        ? initialWeights(smallEncoderNetwork, seed)
        : scaled(start, this.scale, 'to standard');
    const zeros = Object.fromEntries(
      Object.entries(weights).map(([name, { length }]) => [name, new Float32Array(length)]),
    );
    return { step: 0, weights, firstMoments: zeros, secondMoments: zeros, averages: weights };
  }

  private lesson(uniform: Uniform): Lesson {
    const { sounds } = this.options;
    const { sampleRate, batchSize } = recipe;
    const samples = windowSamples(uniform);
    const mixes = Array.from({ length: batchSize }, () => mixSounds(sounds, samples, sampleRate, uniform));
    const pictures = this.teacher.pictures(mixes);
    const length = pictures.length / batchSize;
    const inputs = mixes.map((_, index) => {
      const input = smallPicture(pictures.subarray(index * length, (index + 1) * length));
      augmentPicture(input, uniform);
      return input;
    });
    return {
      features: concatenate(inputs, batchSize * inputs[0]!.length),
      outputs: this.teacher.encode(mixes),
    };
  }

  private measureScale(): Scale {
    const { batchSize } = recipe;
    const scaleBatches = Math.min(recipe.scaleBatches, this.options.steps);
    const [sums, squares] = [new Float64Array(encoderFeatures), new Float64Array(encoderFeatures)];
    for (let batch = 0; batch < scaleBatches; batch++) {
      const { outputs } = this.lesson(createUniform(deriveSeed(this.options.seed, 'scale', batch)));
      outputs.forEach((value, index) => {
        const output = index % encoderOutputs;
        if (output >= encoderFeatures) return;
        sums[output]! += value;
        squares[output]! += value * value;
      });
    }
    const count = scaleBatches * batchSize;
    const means = sums.map((sum) => sum / count);
    const deviations = squares.map((sum, output) =>
      Math.sqrt(Math.max(1e-6, sum / count - means[output]! ** 2)),
    );
    return { means, deviations };
  }
}

function windowSamples(uniform: Uniform): number {
  const { longest, shortest } = windowSeconds;
  const seconds = uniform() < longestShare ? longest : shortest * (longest / shortest) ** uniform();
  return Math.round((seconds * recipe.sampleRate) / hopSamples) * hopSamples;
}

/**
 * The last layer's weights for features of mean 0 and deviation 1, which it learns, or for those of the
 * large encoder; all others as they are.
 */
function scaled(
  weights: WeightArrays,
  { means, deviations }: Scale,
  unit: 'to standard' | 'to encoder',
): WeightArrays {
  const change = (value: number, output: number, mean: number): number => {
    if (output >= encoderFeatures) return value;
    const deviation = deviations[output]!;
    return unit === 'to encoder' ? value * deviation + mean : (value - mean) / deviation;
  };
  return {
    ...weights,
    'dense/kernel': weights['dense/kernel']!.map((value, index) => change(value, index % encoderOutputs, 0)),
    'dense/bias': weights['dense/bias']!.map((value, output) => change(value, output, means[output] ?? 0)),
  };
}
