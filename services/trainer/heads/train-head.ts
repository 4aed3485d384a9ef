import type { EncoderFrontEnd } from '../../../shared/contracts/front-end';
import type { Hyperparameters } from '../../../shared/contracts/manifest';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { encoderFeatures } from '../../../shared/encoder/mobile-net';
import { describeEngine } from '../../../shared/engine/load-engine';
import { createNetwork } from '../../../shared/network/create-network';
import { headLogits, ownTagsName, type LinearHead } from '../../../shared/network/head';
import type { FoldSplit } from '../folds';
import { examplesOf, lossAndAccuracy, type Example } from '../predict';
import type { TrainedRun } from '../train';
import { settingsOf, type Workshop } from '../workshop';
import { ownTagsOf } from './own-tags';
import { fitSoftmaxRegression } from './softmax-regression';

/** What a head is fitted with. */
export type HeadHyperparameters = Extract<Hyperparameters, { optimizer: 'lbfgs' }>;

/**
 * Fits a head on the encoder's features of the training clips. It takes a moment and has no epochs to go on from, so nothing is
 * kept of it but the run that comes back, whose one epoch is the optimum.
 */
export function trainHead(
  workshop: Workshop,
  split: FoldSplit,
  view: EncoderFrontEnd,
  { penalty }: HeadHyperparameters,
): TrainedRun {
  const startedMs = performance.now();
  const { dataset, engine, network: config } = workshop;
  const classes = dataset.classes.length;
  const [training, validation] = [split.train, split.validation].map((clips) =>
    examplesOf(clips, view, engine),
  );
  const labels = training!.map(({ label }) => label);
  const features = training!.map(featuresOf);
  const head = fitSoftmaxRegression({ features, labels, classes, penalty });
  const tagLogits = training!.map((example) => inputOf(example).subarray(encoderFeatures));
  const weights = {
    [ownTagsName]: Float32Array.from(ownTagsOf(tagLogits, labels, classes)),
    'dense/kernel': head.kernel,
    'dense/bias': head.bias,
  };
  const network = createNetwork(config, classes);
  const [onTraining, onValidation] = [judge(head, training!), judge(head, validation!)];
  const epoch = {
    epoch: 1,
    trainLoss: onTraining.loss,
    trainAccuracy: onTraining.accuracy,
    validationLoss: onValidation.loss,
    validationAccuracy: onValidation.accuracy,
    seconds: (performance.now() - startedMs) / 1000,
  };
  return {
    folder: undefined,
    network,
    progress: {
      settings: settingsOf(workshop, split, view),
      dataFingerprint: dataset.fingerprint,
      engine: describeEngine(engine, config),
      step: 0,
      history: [epoch],
      bestEpoch: 1,
    },
    lastWeights: weights,
    bestWeights: weights,
  };
}

function judge(head: LinearHead, examples: readonly Example[]): { loss: number; accuracy: number } {
  const probabilities = examples.map((example) => meanProbabilities([headLogits(head, featuresOf(example))]));
  return lossAndAccuracy(examples, probabilities);
}

/** The one input that an encoder makes of a clip: features, then tag logits. */
function inputOf({ views }: Example): Float32Array {
  return views[0]![0]!;
}

function featuresOf(example: Example): Float32Array {
  return inputOf(example).subarray(0, encoderFeatures);
}
