import { architectureOf, isMultiLabel } from '../../shared/contracts/members';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openRegistry } from '../../shared/registry/registry';
import { readReport } from '../../shared/registry/report-file';
import { recordingOf, servedReport, type JudgedClips } from '../../services/trainer/evaluate/served-figures';
import { percent } from '../../services/trainer/report/markup/format';

const projectFolder = join(__dirname, '../../..');
const calibration = { temperature: 1, unknownBelow: 0.5 };

/** Clips of two classes; each `margin` is how much the logit of class 0 is above that of class 1. */
function judged(labels: readonly number[], margins: readonly number[], prefix: string): JudgedClips {
  return {
    labels,
    recordings: labels.map((_, clip) => `${prefix}${clip >> 1}`),
    answers: { logits: margins.map((m) => [Float32Array.of(m, 0)]), evidence: margins.map(() => undefined) },
  };
}

describe('recordingOf', () => {
  it.each([
    ['1-17367-A-10.wav', '17367'],
    ['4-164661-B-12.ogg', '164661'],
    ['kitchen.wav', 'kitchen.wav'],
  ])('of %s is %s', (filename, recording) => {
    expect(recordingOf(filename)).toBe(recording);
  });
});

describe('servedReport', () => {
  const first = judged([0, 0, 1, 1], [3, 2, -1, -4], 'a');
  const sure = judged([0, 0, 1, 1], [9, 8, -7, -9], 'b');

  it('counts unknown as a wrong answer, and leaves the first guess as it is', () => {
    const test = judged([0, 0, 1, 1], [3, 0.1, -0.1, -4], 't');
    const { test: figures } = servedReport([first, sure], test, { temperature: 1, unknownBelow: 0.6 });
    expect(figures).toMatchObject({ clips: 4, recordings: 2, correct: 4, answered: 2, passed: 2 });
  });

  it('judges a fold by what the other folds’ clips give, and not by its own', () => {
    const doubtful = judged([0, 1, 1, 0], [3, 2, -1, -4], 'a');
    const own = servedReport([first, sure], undefined, calibration).validation;
    const relabelled = servedReport([doubtful, sure], undefined, calibration).validation;
    // The first fold's labels fit the second's temperature, which lets no more and no fewer of its sure
    // clips pass than before, and never their own: what passes of the first fold is the same.
    expect(relabelled.correct).toBeLessThan(own.correct);
    const passedOfFirst = (second: JudgedClips): number =>
      servedReport([first, second], undefined, calibration).validation.passed;
    // A second fold that is as unsure as the first lets the first pass; a sure one does not.
    expect(passedOfFirst(judged([0, 0, 1, 1], [3, 2, -1, -4], 'b'))).toBeGreaterThan(passedOfFirst(sure));
  });

  it('deals a single fold into parts by recording', () => {
    const single = servedReport([first], undefined, calibration).validation;
    expect(single).toMatchObject({ clips: 4, recordings: 2, correct: 4 });
  });

  it('judges without a calibration by the softmax alone', () => {
    const figures = servedReport([first, sure], undefined, undefined).validation;
    expect(figures).toMatchObject({ correct: 8, answered: 8, passed: 8 });
  });
});

describe('models/README.md', () => {
  it('has the figures of the committed versions’ reports', async () => {
    const readme = await readFile(join(projectFolder, 'models', 'README.md'), 'utf8');
    const { versions } = await openRegistry(join(projectFolder, 'models')).list();
    for (const { manifest, folder } of versions) {
      const architecture = architectureOf(manifest);
      // AudioSet's classes are not ESC-10's, and have no test fold.
      if (isMultiLabel(manifest)) continue;
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${architecture}\``))!;
      const { served } = (await readReport(folder))!;
      // `npm run evaluate -- VERSION` prints what belongs here.
      const { validation, test } = served!;
      const figures = [validation, test!]
        .flatMap(({ clips, correct, answered, accuracyInterval, answeredInterval }) => [
          correct / clips,
          ...Object.values(accuracyInterval),
          answered / clips,
          ...Object.values(answeredInterval),
        ])
        .map((share) => percent(share).replace(' %', ''));
      const inRow = row
        .split('|')
        .slice(3)
        .join('|')
        .match(/\d+\.\d/g);
      expect({ architecture, inRow }).toEqual({ architecture, inRow: figures });
      const { metrics } = manifest;
      expect(metrics.validationAnswered).toBe(validation.answered / validation.clips);
      expect(metrics.testAnswered).toBe(test!.answered / test!.clips);
    }
  });
});
