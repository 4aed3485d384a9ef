import type { Reliability } from '../../../../shared/contracts/calibration';
import { axisStyle, drawChart, titled } from './draw-chart';
import { tickPercent } from '../markup/format';
import type { Markup } from '../markup/markup';

/**
 * Accuracy over confidence, a point a bin, its area by its clips; on the diagonal a classifier is as
 * right as it is sure.
 */
export function reliabilityChart(title: string, { bins }: Reliability): Markup {
  const axis = {
    type: 'value' as const,
    min: 0,
    max: 1,
    interval: 0.25,
    ...axisStyle,
    axisLabel: { ...axisStyle.axisLabel, formatter: tickPercent },
  };
  const maxClips = Math.max(...bins.map(({ clips }) => clips));
  return drawChart(
    `Reliability ${title}`,
    { width: 300, height: 280 },
    {
      grid: { left: 66, right: 22, top: 14, bottom: 48, outerBoundsMode: 'none' },
      xAxis: { ...axis, ...titled('confidence', 28) },
      yAxis: { ...axis, ...titled('accuracy', 50) },
      series: [
        {
          type: 'line',
          silent: true,
          showSymbol: false,
          data: [
            [0, 0],
            [1, 1],
          ],
          lineStyle: { color: 'var(--muted)', type: 'dashed', width: 1 },
        },
        {
          type: 'line',
          silent: true,
          data: bins.map(({ confidence, accuracy, clips }) => ({
            value: [confidence, accuracy],
            symbolSize: 5 + 15 * Math.sqrt(clips / maxClips),
          })),
          symbol: 'circle',
          lineStyle: { color: 'var(--first)', width: 1 },
          itemStyle: { color: 'var(--first)' },
        },
      ],
    },
  );
}
