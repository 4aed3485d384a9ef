import type { EpochMetrics } from '../../../../shared/contracts/report';
import { axisStyle, drawChart, titled } from './draw-chart';
import type { Markup } from '../markup/markup';

export interface Curves {
  readonly title: string;
  readonly axisTitle: string;
  readonly train: (metrics: EpochMetrics) => number;
  readonly validation: (metrics: EpochMetrics) => number;
  readonly format: (value: number) => string;
  /** Upper end of the axis; by the data when absent. */
  readonly max?: number;
}

/** Training and validation over the epochs, the chosen epoch marked where one was chosen. */
export function curvesChart(
  history: readonly EpochMetrics[],
  bestEpoch: number | undefined,
  curves: Curves,
): Markup {
  const line = (value: (metrics: EpochMetrics) => number, color: string) => ({
    type: 'line' as const,
    data: history.map((metrics) => [metrics.epoch, value(metrics)]),
    // A single epoch has no line; show it as a dot.
    showSymbol: history.length === 1,
    sampling: 'lttb' as const,
    silent: true,
    lineStyle: { color, width: 2 },
    itemStyle: { color },
  });
  const lastEpoch = history.at(-1)!.epoch;
  return drawChart(
    `${curves.title} of training and validation over ${lastEpoch} epochs`,
    { width: 440, height: 260 },
    {
      grid: { left: 76, right: 14, top: 24, bottom: 46, outerBoundsMode: 'none' },
      xAxis: {
        type: 'value',
        min: Math.min(1, lastEpoch - 1),
        max: lastEpoch,
        minInterval: 1,
        ...axisStyle,
        ...titled('epoch', 26),
        splitLine: { show: false },
      },
      yAxis: {
        type: 'value',
        min: 0,
        ...(curves.max === undefined ? {} : { max: curves.max }),
        ...axisStyle,
        axisLabel: { ...axisStyle.axisLabel, formatter: curves.format },
        ...titled(curves.axisTitle, 54),
      },
      series: [
        {
          ...line(curves.train, 'var(--first)'),
          ...(bestEpoch === undefined ? {} : { markLine: markAt(bestEpoch) }),
        },
        line(curves.validation, 'var(--second)'),
      ],
    },
  );
}

function markAt(epoch: number) {
  return {
    symbol: 'none',
    silent: true,
    lineStyle: { color: 'var(--muted)', type: 'dashed' as const },
    label: { formatter: 'best', color: 'var(--muted)', fontSize: 13 },
    data: [{ xAxis: epoch }],
  };
}
