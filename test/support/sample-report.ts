import type { Evaluation } from '../../shared/contracts/evaluation';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import type { FoldFigures, Report } from '../../shared/contracts/report';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { summariseFolds } from '../../shared/metrics/summarise-folds';

const esc10 = [
  'dog',
  'rooster',
  'rain',
  'sea_waves',
  'crackling_fire',
  'crying_baby',
  'sneezing',
  'clock_tick',
  'helicopter',
  'chainsaw',
];

/** Deterministic numbers in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Eight clips a class, judged by a classifier that is right the more often the larger `skill` is. */
function evaluationOf(classes: readonly string[], seed: number, skill: number): Evaluation {
  const next = random(seed);
  const labels = classes.flatMap((_, label) => new Array<number>(8).fill(label));
  const probabilities = labels.map((label) => {
    const weights = classes.map((_, index) => next() ** 2 + (index === label ? skill * next() : 0));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return Float32Array.from(weights, (weight) => weight / sum);
  });
  return evaluateClassifier({ labels, probabilities, classes });
}

/** A whole report of a run that never was: 100 epochs that overfit, as the report's CNN does. */
export function sampleReport(classes: readonly string[] = esc10): Report {
  const next = random(5);
  const history = Array.from({ length: 100 }, (_, index) => ({
    epoch: index + 1,
    trainLoss: 2.4 * Math.exp(-index / 25) + 0.02 * next(),
    trainAccuracy: 1 - 0.9 * Math.exp(-index / 22) + 0.002 * next(),
    validationLoss: 1.7 + 0.6 * Math.exp(-index / 8) + 0.012 * index + 0.1 * next(),
    validationAccuracy: Math.round(80 * (0.42 - 0.32 * Math.exp(-index / 10) + 0.08 * next())) / 80,
    seconds: 18.4,
  }));
  const figures = (epoch: number, accuracy: number): FoldFigures => ({
    epoch,
    validationAccuracy: accuracy,
    validationMacroF1: accuracy - 0.02,
    testAccuracy: accuracy - 0.03,
    testMacroF1: accuracy - 0.04,
  });
  return {
    formatVersion: 2,
    version: 'cnn-20240203-101500-5f3a',
    createdAt: '2024-02-03T10:15:00Z',
    configuration: {
      frontEnds: [reportFrontEnd],
      members: [{ frontEnd: 0, network: { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' } }],
      classes: [...classes],
      hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 64, epochs: 100 },
      initialisation: 'pytorch-uniform',
      inputScaling: 'unit',
      protocol: { testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] },
      seed: 7,
      data: { clips: 400, fingerprint: 'ab'.repeat(32) },
      code: { version: '0.1.0', revision: '1234567' },
      engine: 'cpu (libtensorflow 2.21.0, 2 threads)',
    },
    history,
    evaluations: {
      best: { epoch: 37, test: evaluationOf(classes, 1, 1.6), validation: evaluationOf(classes, 2, 1.7) },
      last: { epoch: 100, test: evaluationOf(classes, 3, 1.2), validation: evaluationOf(classes, 4, 1.3) },
    },
    parameterTable: {
      batchSize: 32,
      rows: [
        { layer: 'conv 1→64', outputShape: [32, 64, 71_999], parameters: 512, multAdds: 1_032_000_000 },
        { layer: 'linear 36000→128', outputShape: [32, 128], parameters: 4_608_128, multAdds: 147_460_096 },
      ],
      trainable: 4_621_978,
      nonTrainable: 0,
      multAdds: 7_470_000_000,
    },
    crossValidation: summariseFolds(
      1,
      [0.475, 0.35, 0.4125, 0.375].map((accuracy, index) => ({
        validationFold: index + 2,
        trainFolds: [2, 3, 4, 5].filter((fold) => fold !== index + 2),
        best: figures(30 + index, accuracy),
        last: figures(100, accuracy - 0.02),
      })),
    ),
  };
}
