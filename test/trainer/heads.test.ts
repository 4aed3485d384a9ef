import { readFileSync } from 'node:fs';
import path from 'node:path';
import { minimise } from '../../services/trainer/heads/minimise';
import { ownTagsOf } from '../../services/trainer/heads/own-tags';
import { fitSoftmaxRegression } from '../../services/trainer/heads/softmax-regression';
import { headOutputs } from '../../shared/encoder/head-outputs';
import { encoderOutputs, encoderTags } from '../../shared/encoder/mobile-net';
import { computeHead, createHead, headLogits } from '../../shared/compute/network/head';
import { createUniform } from '../../shared/runtime/random';
import * as tf from '@tensorflow/tfjs-core';
import { loadTestEngine } from '../support/test-engine';

interface Fixture {
  readonly features: readonly number[][];
  readonly labels: readonly number[];
  readonly fits: readonly { readonly penalty: number; readonly logits: readonly number[][] }[];
}

const fixtureFile = path.join(__dirname, '../../../test/fixtures/heads/scikit-learn.json');
const fixture = JSON.parse(readFileSync(fixtureFile, 'utf8')) as Fixture;

describe('a head on features', () => {
  it.each(fixture.fits)(
    'is scikit-learn’s logistic regression at a penalty of $penalty',
    ({ penalty, logits }) => {
      const features = fixture.features.map((row) => Float32Array.from(row));
      const head = fitSoftmaxRegression({ features, labels: fixture.labels, classes: 3, penalty });
      features.forEach((row, index) => {
        // Softmax does not see what is added to all logits of a row.
        const centred = (values: ArrayLike<number>): number[] => {
          const all = Array.from(values);
          const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
          return all.map((value) => value - mean);
        };
        const expected = centred(logits[index]!);
        centred(headLogits(head, row)).forEach((value, c) => {
          expect(Math.abs(value - expected[c]!)).toBeLessThan(1e-4);
        });
      });
    },
  );

  it('counts a row of half the weight half: two of them are as one', () => {
    const features = fixture.features.map((row) => Float32Array.from(row));
    const { labels } = fixture;
    const once = fitSoftmaxRegression({ features, labels, classes: 3, penalty: 1 });
    const twice = fitSoftmaxRegression({
      features: [...features, features[0]!],
      labels: [...labels, labels[0]!],
      weights: [...labels.map((_, row) => (row === 0 ? 0.5 : 1)), 0.5],
      classes: 3,
      penalty: 1,
    });
    [...twice.kernel, ...twice.bias].forEach((value, at) => {
      expect(value).toBeCloseTo([...once.kernel, ...once.bias][at]!, 4);
    });
  });

  it('gives its logits, each class’s own tag and all tags, on plain values as on TensorFlow', async () => {
    await loadTestEngine('wasm');
    const classes = 4;
    const uniform = createUniform(3);
    const random = (length: number): Float32Array => Float32Array.from({ length }, () => uniform() - 0.5);
    const network = createHead({ architecture: 'encoder' }, classes);
    const values = {
      ownTags: Float32Array.of(526, 0, 7, 7),
      'dense/kernel': random(384 * classes),
      'dense/bias': random(classes),
    };
    const inputs = random(2 * encoderOutputs);
    const outputs = computeHead(values, inputs, 2);
    const weights = Object.fromEntries(
      network.parameters.map(({ name, shape }) => [name, tf.tensor(values[name as 'ownTags'], [...shape])]),
    );
    const expected = network.forward(weights, tf.tensor2d(inputs, [2, encoderOutputs])).dataSync();
    tf.dispose(weights);
    expect(outputs).toHaveLength(2 * headOutputs(classes).length);
    expected.forEach((value, at) => {
      expect(Math.abs(outputs[at]! - value)).toBeLessThan(1e-5);
    });
    expect(outputs[classes]).toBe(inputs[384 + 526]);
  });
});

describe('a class’s own tag', () => {
  const clip = (heard: Readonly<Record<number, number>>): Float32Array => {
    const logits = new Float32Array(encoderTags).fill(-8);
    for (const [tag, logit] of Object.entries(heard)) logits[Number(tag)] = logit;
    return logits;
  };

  it('is heard in its clips, and sets them apart from every other class', () => {
    // Tag 3 is the loudest in both classes; 10 and 20 tell them apart. Tag 30 does so too, but is as
    // good as not heard.
    const clips = [
      clip({ 3: 4, 10: 1, 30: -4 }),
      clip({ 3: 4, 10: 2 }),
      clip({ 3: 3, 20: 0 }),
      clip({ 3: 5, 20: 1 }),
    ];
    expect(ownTagsOf(clips, [0, 0, 1, 1], 2)).toEqual([10, 20]);
  });

  it('is the likeliest where none is heard', () => {
    expect(ownTagsOf([clip({ 5: -6 }), clip({ 9: 2 })], [0, 1], 2)).toEqual([5, 9]);
  });
});

describe('a minimum', () => {
  it('of a narrow curved valley is found', () => {
    const { point, value } = minimise(
      (at, gradient) => {
        const [x, y] = [at[0]!, at[1]!];
        gradient[0] = -2 * (1 - x) - 400 * x * (y - x * x);
        gradient[1] = 200 * (y - x * x);
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2;
      },
      Float64Array.of(-1.2, 1),
      { maxIterations: 200, gradientTolerance: 1e-8 },
    );
    expect(point[0]).toBeCloseTo(1, 6);
    expect(point[1]).toBeCloseTo(1, 6);
    expect(value).toBeLessThan(1e-12);
  });
});
