import type { LearningCurve, LearningPoint } from '../../../shared/contracts/report';
import { axisStyle, drawChart, titled } from './charts/draw-chart';
import { percentSpread, tickPercent } from './markup/format';
import { type Markup, markup } from './markup/markup';
import { plainTable } from './tables';

/**
 * Accuracy by recordings a class: whether more of them would help. Empty where there were too few to
 * draw from.
 */
export function learningSection({ validation, test = [] }: LearningCurve): Markup {
  if (validation.length === 0) return markup``;
  const counts = [...new Set([...validation, ...test].map(({ recordings }) => recordings))];
  const cell = (points: readonly LearningPoint[], count: number): string => {
    const point = points.find(({ recordings }) => recordings === count);
    return point === undefined ? '–' : percentSpread(point.accuracy);
  };
  return markup`<h2>What more recordings would give</h2>
<figure><figcaption>Validation accuracy by recordings a class</figcaption>${learningChart(validation)}</figure>
${plainTable(
  ['recordings a class', 'validation accuracy', ...(test.length === 0 ? [] : ['test accuracy'])],
  counts.map((count) => [
    String(count),
    cell(validation, count),
    ...(test.length === 0 ? [] : [cell(test, count)]),
  ]),
)}
<p class="quiet">Heads fitted to so many recordings of each class, chosen at random; mean and standard deviation over
${validation[0]!.draws} draws. Where the line still rises, more recordings would help.</p>`;
}

function learningChart(points: readonly LearningPoint[]): Markup {
  const line = (value: (point: LearningPoint) => number, type: 'solid' | 'dashed') => ({
    type: 'line' as const,
    data: points.map((point) => [String(point.recordings), value(point)]),
    showSymbol: type === 'solid',
    silent: true,
    lineStyle: { color: 'var(--second)', width: type === 'solid' ? 2 : 1, type },
    itemStyle: { color: 'var(--second)' },
  });
  const deviation = ({ accuracy }: LearningPoint): number => accuracy.standardDeviation ?? 0;
  return drawChart(
    'Validation accuracy by recordings a class, with the standard deviation over draws',
    { width: 440, height: 260 },
    {
      grid: { left: 76, right: 14, top: 24, bottom: 46, outerBoundsMode: 'none' },
      xAxis: { type: 'category', ...axisStyle, ...titled('recordings a class', 26) },
      yAxis: {
        type: 'value',
        min: 0,
        max: 1,
        ...axisStyle,
        axisLabel: { ...axisStyle.axisLabel, formatter: tickPercent },
        ...titled('clips right', 54),
      },
      series: [
        line(({ accuracy }) => accuracy.mean, 'solid'),
        line((point) => Math.max(0, point.accuracy.mean - deviation(point)), 'dashed'),
        line((point) => Math.min(1, point.accuracy.mean + deviation(point)), 'dashed'),
      ],
    },
  );
}
