import type { ClassEvaluation } from '../../../../shared/contracts/evaluation';
import { axisStyle, drawChart, titled } from './draw-chart';
import type { Markup } from '../markup/markup';

/**
 * One class's ROC curves on the test fold (first colour), where it was looked at, and the validation
 * fold (second, dashed).
 */
export function rocChart(test: ClassEvaluation | undefined, validation: ClassEvaluation): Markup {
  const axis = {
    type: 'value' as const,
    min: 0,
    max: 1,
    interval: 0.5,
    ...axisStyle,
  };
  const curve = (points: ClassEvaluation['roc'], color: string, type: 'solid' | 'dashed', width: number) => ({
    type: 'line' as const,
    data: points.map((point) => [point.falsePositiveRate, point.truePositiveRate]),
    showSymbol: false,
    silent: true,
    lineStyle: { color, type, width },
    itemStyle: { color },
  });
  const chance = [
    { falsePositiveRate: 0, truePositiveRate: 0 },
    { falsePositiveRate: 1, truePositiveRate: 1 },
  ];
  return drawChart(
    `ROC curves of ${validation.class}`,
    { width: 210, height: 200 },
    {
      grid: { left: 52, right: 12, top: 10, bottom: 42, outerBoundsMode: 'none' },
      xAxis: { ...axis, ...titled('false positives', 24) },
      yAxis: { ...axis, ...titled('true positives', 34) },
      series: [
        curve(chance, 'var(--muted)', 'dashed', 1),
        curve(validation.roc, 'var(--second)', 'dashed', 2),
        ...(test === undefined ? [] : [curve(test.roc, 'var(--first)', 'solid', 2)]),
      ],
    },
  );
}
