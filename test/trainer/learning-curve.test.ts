import { learningPoints } from '../../services/trainer/heads/learning-curve';
import { renderReportHtml } from '../../services/trainer/report/render-report-html';
import { createUniform } from '../../shared/runtime/random';
import { sampleReport } from '../support/sample-report';

/** Clips of two classes, that one feature tells apart a little; two clips of each source. */
function clipsOf(sources: number, seed: number) {
  const uniform = createUniform(seed);
  return Array.from({ length: sources * 4 }, (_, index) => ({
    label: index % 2,
    fold: 1,
    source: `${index % (2 * sources)}`,
    features: [Float32Array.from({ length: 6 }, (__, i) => uniform() + (i === 0 ? 0.7 * (index % 2) : 0))],
  }));
}

const options = { classes: 2, penalty: 1, seed: 1 };

describe('a learning curve', () => {
  it('rises with the recordings, and ends where a class has no more of them', () => {
    const splits = [{ training: clipsOf(6, 1), judged: clipsOf(200, 2) }];
    const points = learningPoints({ ...options, splits });
    expect(points.map(({ recordings }) => recordings)).toEqual([1, 2, 3, 5]);
    const [first, last] = [points[0]!, points.at(-1)!];
    expect(last.accuracy.mean).toBeGreaterThan(first.accuracy.mean + 0.03);
    expect(first.accuracy.standardDeviation).toBeGreaterThan(0);
    expect(learningPoints({ ...options, splits })).toEqual(points);
  });

  it('stands in the report of a version that has one', () => {
    const accuracy = { mean: 0.8125, standardDeviation: 0.05 };
    const html = renderReportHtml({
      ...sampleReport(),
      learningCurve: { validation: [{ recordings: 3, draws: 10, accuracy }] },
    });
    expect(html).toContain('What more recordings would give');
    expect(html).toContain('81.3 ± 5.0 %');
    expect(renderReportHtml(sampleReport())).not.toContain('What more recordings would give');
  });
});
