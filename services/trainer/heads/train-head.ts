import type { EncoderFrontEnd } from '../../../shared/contracts/front-end';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { describeEngine } from '../../../shared/compute/provide/load-engine';
import { createNetwork } from '../../../shared/compute/network/create-network';
import { ownTagsName, type LinearHead } from '../../../shared/compute/network/head';
import type { FoldSplit } from '../data/folds';
import { lossAndAccuracy } from '../optimise/predict';
import type { TrainedRun } from '../optimise/train';
import { settingsOf, type FittedTraining } from '../context/training-context';
import { choosePenalty, type PenaltyChoice } from './choose-penalty';
import { clipFeatures } from './clip-features';
import { fitHead, logitsOf, type HeadExample } from './fit-head';
import { ownTagsOf } from './own-tags';

/**
 * Fits a head on the encoder's features of the training clips. It takes a moment and has no epochs to go
 * on from, so nothing is kept of it but the run that comes back, whose one epoch is the optimum. A
 * penalty that nobody gave is chosen on the validation fold where a test fold judges; else on the
 * training clips, so that the validation fold judges what it had no part in.
 * @param given what was chosen already
 */
export function trainHead(
  context: FittedTraining,
  split: FoldSplit,
  frontEnd: EncoderFrontEnd,
  given?: PenaltyChoice,
): TrainedRun {
  const startedMs = performance.now();
  const { dataset, engine, network: config, request, recipe } = context;
  const classes = dataset.classes.length;
  const training = clipFeatures(split.train, frontEnd, engine);
  const validation = clipFeatures(split.validation, frontEnd, engine);
  const { penalty } = request.hyperparameters;
  const choice =
    given ??
    (penalty === undefined
      ? choosePenalty({ training, classes, validation: split.test.length > 0 ? validation : [] })
      : { penalty });
  const head = fitHead(training, classes, choice.penalty);
  const ownTags = ownTagsOf(
    // Of the whole clip, as the encoder learnt to tag.
    training.map(({ tagLogits }) => tagLogits[0]!),
    training.map(({ label }) => label),
    classes,
  );
  const weights = {
    [ownTagsName]: Float32Array.from(ownTags),
    'dense/kernel': head.kernel,
    'dense/bias': head.bias,
  };
  const [onTraining, onValidation] = [judge(head, training), judge(head, validation)];
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
    frontEnd,
    network: createNetwork(config, classes),
    progress: {
      settings: {
        ...settingsOf(context, split),
        hyperparameters: { ...recipe.hyperparameters, ...choice },
      },
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

function judge(head: LinearHead, clips: readonly HeadExample[]): { loss: number; accuracy: number } {
  const probabilities = logitsOf(head, clips).map((rows) => meanProbabilities(rows));
  return lossAndAccuracy(clips, probabilities);
}
