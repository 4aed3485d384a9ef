import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from 'echarts';
import { axisStyle, drawChart } from './draw-chart';
import type { Markup } from './markup';

/** A figure's two bars; `undefined` where there is no figure yet. */
export interface BarPair {
  readonly name: string;
  readonly first: number;
  readonly second: number | undefined;
  /** Around the second. */
  readonly interval?: { readonly lower: number; readonly upper: number } | undefined;
}

const barHeight = 40;
const labelWidth = 225;
/** A shorter bar has no room for its figure. */
const leastLabelled = 0.06;

/** Two horizontal bars a name, side by side, with the second's interval as a whisker. */
export function barChart(
  description: string,
  bars: readonly BarPair[],
  format: (value: number) => string,
): Markup {
  const bar = (values: readonly (number | undefined)[], color: string) => ({
    type: 'bar' as const,
    data: values.map((value) => value ?? '-'),
    silent: true,
    barGap: '10%',
    barCategoryGap: '30%',
    itemStyle: { color },
    label: {
      show: true,
      position: 'insideLeft' as const,
      fontSize: 11,
      color: 'var(--ground)',
      formatter: ({ value }: { value: unknown }) =>
        typeof value === 'number' && value >= leastLabelled ? format(value) : '',
    },
  });
  const whiskers = bars.flatMap(({ interval }, index) =>
    interval === undefined ? [] : [[index, interval.lower, interval.upper]],
  );
  return drawChart(
    description,
    { width: 720, height: bars.length * barHeight + 40 },
    {
      grid: { left: labelWidth, right: 24, top: 4, bottom: 28 },
      xAxis: {
        type: 'value',
        min: 0,
        max: 1,
        ...axisStyle,
        axisLabel: { ...axisStyle.axisLabel, formatter: format },
      },
      yAxis: {
        type: 'category',
        inverse: true,
        data: bars.map(({ name }) => name),
        ...axisStyle,
        axisTick: { show: false },
        axisLabel: { ...axisStyle.axisLabel, color: 'var(--ink)' },
      },
      series: [
        bar(
          bars.map(({ first }) => first),
          'var(--muted)',
        ),
        bar(
          bars.map(({ second }) => second),
          'var(--first)',
        ),
        {
          type: 'custom',
          silent: true,
          data: whiskers,
          encode: { x: [1, 2], y: 0 },
          renderItem: drawWhisker,
        },
      ],
    },
  );
}

/** A line with ends, over the lower of the two bars. */
function drawWhisker(_: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) {
  const [from, y] = api.coord([api.value(1), api.value(0)]) as [number, number];
  const [to] = api.coord([api.value(2), api.value(0)]) as [number, number];
  const middle = y + barHeight * 0.18;
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: 'line' as const,
    shape: { x1, y1, x2, y2 },
    style: { stroke: 'var(--ink)', lineWidth: 1.5 },
  });
  return {
    type: 'group' as const,
    children: [
      line(from, middle, to, middle),
      line(from, middle - 4, from, middle + 4),
      line(to, middle - 4, to, middle + 4),
    ],
  };
}
