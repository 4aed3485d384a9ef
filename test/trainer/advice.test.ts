import { adviceOf } from '../../services/trainer/report/advice';
import type { Protocol } from '../../shared/contracts/manifest';
import { evaluateClassifier } from '../../shared/metrics/evaluate-classifier';
import { sampleReport } from '../support/sample-report';

/** Clips of three sounds, each taken for one of them. */
function adviceFor(labels: readonly number[], answers: readonly number[], protocol?: Protocol): string[] {
  const probabilities = answers.map((answer) => Float32Array.from([0, 1, 2], (c) => (c === answer ? 1 : 0)));
  const validation = evaluateClassifier({ labels, probabilities, classes: ['door', 'horn', 'cow'] });
  const { configuration } = sampleReport();
  return adviceOf({
    evaluations: { last: { epoch: 1, validation } },
    configuration: { ...configuration, protocol: protocol ?? configuration.protocol },
  });
}

const labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];

describe('what a training run advises', () => {
  it('names the class that needs more recordings and the two that are confused', () => {
    expect(adviceFor(labels, [0, 0, 0, 2, 1, 1, 1, 1, 0, 0, 2, 2])).toEqual([
      'Of recordings that it was not trained on, 9 of 12 (75.0 %) were heard right.',
      'More recordings of cow would help most: 2 of 4 were taken for something else.',
      'Most often confused are door and cow: 3 of their clips.',
    ]);
  });

  it('asks for nothing where all are right', () => {
    expect(adviceFor(labels, labels)).toEqual([
      'Of recordings that it was not trained on, 12 of 12 (100.0 %) were heard right.',
    ]);
  });

  it('says where each recording was judged by what all others taught', () => {
    const protocol = {
      testFold: null,
      validationFold: null,
      trainFolds: [1, 2, 3, 4],
      leaveOneSourceOut: true as const,
    };
    expect(adviceFor(labels, labels, protocol)[0]).toContain('leave-one-source-out');
  });
});
