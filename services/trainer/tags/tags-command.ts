import audioSetLabels from '../../../shared/encoder/audioset-labels.json';
import { independentProbabilities } from '../../../shared/decision/independent-probabilities';
import { describeEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { encoderOf, windowFormat } from '../../../shared/contracts/members';
import { AppError } from '../../../shared/errors/app-error';
import { createNetwork } from '../../../shared/compute/network/create-network';
import { openRegistry } from '../../../shared/registry/registry';
import { encodeWeights } from '../../../shared/registry/weights-file';
import { parseTrainingRequest } from '../options/command-line';
import { foldsOf } from '../data/folds';
import { goldenOf } from '../evaluate/golden';
import { clipFeatures } from '../heads/clip-features';
import { publishVersion, type PublishedNetworks } from '../evaluate/publish-version';
import { percent } from '../report/markup/format';
import {
  openTrainingContext,
  versionFacts,
  type CommandContext,
  type TrainingContext,
} from '../context/training-context';
import { chooseThresholds, type Thresholds } from './choose-thresholds';
import { evaluateTags, type NamedClip } from './evaluate-tags';
import { matchTag } from './match-tag';

const config = { architecture: 'encoder', multiLabel: true } as const;

/**
 * `npm run tags`: a version that answers in AudioSet's classes, as the encoder's own head hears them.
 * Its thresholds are chosen on the recordings that are named as one of them.
 * @throws AppError invalid-dataset, engine-unavailable, invalid-configuration
 */
export async function tagsCommand(args: readonly string[], context: CommandContext): Promise<void> {
  const request = parseTrainingRequest(args, config.architecture);
  const training = await openTrainingContext(request, context);
  const clips = namedClips(training);
  const chosen = chooseThresholds(clips);
  const published = describeTags(training, clips, chosen);
  const facts = { ...(await versionFacts(training)), classes: audioSetLabels.map(({ label }) => label) };
  const version = await publishVersion(openRegistry(context.config.modelsFolder), published, facts);
  const { correct, clips: judged } = published.evaluation.last.validation;
  context.output.write(
    `${judged} of ${training.dataset.clips.length} clips are named as one of AudioSet’s classes; of ${correct} of them it is the likeliest ` +
      `of those that clips are named as (${percent(correct / judged)}).\n` +
      `${chosen.own.length} classes have a threshold of their own, the others ${chosen.usual}.\n` +
      `Published ${version.folder}\n`,
  );
}

/**
 * The clips that are named as one of AudioSet's classes, heard. @throws AppError invalid-dataset where
 * there is none
 */
function namedClips({ dataset, frontEnds, engine }: TrainingContext): NamedClip[] {
  const frontEnd = encoderOf(frontEnds);
  if (frontEnd === undefined) throw new AppError('internal', 'AudioSet’s classes are the encoder’s.');
  const tags = dataset.classes.map(matchTag);
  const clips = dataset.clips.filter(({ label }) => tags[label] !== undefined);
  if (clips.length === 0) {
    const message = `None of the categories is called as one of AudioSet's classes: ${dataset.classes.slice(0, 10).join(', ')}.`;
    throw new AppError('invalid-dataset', message);
  }
  const heard = clipFeatures(clips, frontEnd, engine);
  return clips.map((clip, index) => ({
    clip,
    tag: tags[clip.label]!,
    source: clip.source,
    probabilities: independentProbabilities(heard[index]!.tagLogits),
  }));
}

function describeTags(
  training: TrainingContext,
  clips: readonly NamedClip[],
  { thresholds, usual, own }: Thresholds,
): PublishedNetworks {
  const { frontEnds, engine, dataset, request } = training;
  const [frontEnd] = frontEnds;
  const network = createNetwork(config, audioSetLabels.length);
  const encoded = encodeWeights(network, {}, request.precision);
  const classes = audioSetLabels.map(({ label }) => label);
  const described = describeEngine(engine, config);
  const { validation, ...judged } = evaluateTags(clips, thresholds, windowFormat(training));
  const protocol = { testFold: null, validationFold: null, trainFolds: foldsOf(dataset.clips) };
  const { loss, accuracy } = validation;
  return {
    members: [{ frontEnd, network }],
    thresholds,
    settings: {
      network: config,
      hyperparameters: { optimizer: 'none', usualThreshold: usual, classesWithOwn: own.length },
      protocol,
      seed: request.seed,
    },
    engine: described,
    history: [
      {
        epoch: 1,
        trainLoss: loss,
        trainAccuracy: accuracy,
        validationLoss: loss,
        validationAccuracy: accuracy,
        seconds: 0,
      },
    ],
    evaluation: {
      encoded,
      maxLogitError: 0,
      last: { epoch: 1, validation },
      ...judged,
      golden: goldenOf(
        [{ frontEnd, scorer: createScorer(network, {}, engine) }],
        { frontEnds, classes, engine },
        'independent',
        described,
      ),
    },
  };
}
