import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from 'echarts';
import { axisStyle, drawChart, titled } from './draw-chart';
import { type Markup, markup } from '../markup/markup';

/** A figure's two bars; `undefined` where there is no figure yet. */
export interface BarPair {
  readonly name: string;
  readonly first: number;
  readonly second: number | undefined;
  /** Around the second. */
  readonly interval?: { readonly lower: number; readonly upper: number } | undefined;
}

interface BarLabels {
  readonly axisTitle: string;
  /** A bar's own figure. */
  readonly format: (value: number) => string;
  readonly tick: (value: number) => string;
}

const barHeight = 40;
const chartWidth = 720;
const labelWidth = 245;
const rightMargin = 24;
/** A bar that is shorter, or whose whisker begins before, has no room for its figure. */
const labelledShare = 0.15;

/** Two horizontal bars a name, side by side, with the second's interval as a whisker. */
export function barChart(
  description: string,
  bars: readonly BarPair[],
  { axisTitle, format, tick }: BarLabels,
): Markup {
  const firsts = bars.map(({ first }) => ({ value: first }));
  const seconds = bars.map(({ second, interval }) => ({ value: second, interval }));
  const chart = drawChart(
    description,
    { width: chartWidth, height: bars.length * barHeight + 64 },
    {
      grid: { left: labelWidth, right: rightMargin, top: 4, bottom: 52, outerBoundsMode: 'none' },
      xAxis: {
        type: 'value',
        min: 0,
        max: 1,
        ...axisStyle,
        axisLabel: { ...axisStyle.axisLabel, formatter: tick },
        ...titled(axisTitle, 28),
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
        barSeries(firsts, 'var(--muted)', format),
        barSeries(seconds, 'var(--first)', format),
        whiskerSeries(bars),
      ],
    },
  );
  return markup`<div class="scroll natural" style="--natural: ${chartWidth}px">${chart}</div>`;
}

interface Bar {
  readonly value: number | undefined;
  readonly interval?: BarPair['interval'];
}

function barSeries(bars: readonly Bar[], color: string, format: BarLabels['format']) {
  return {
    type: 'bar' as const,
    data: bars.map(({ value, interval }) =>
      value === undefined ? '-' : { value, label: labelOf(value, interval) },
    ),
    silent: true,
    barGap: '10%',
    barCategoryGap: '30%',
    itemStyle: { color },
    label: {
      show: true,
      position: 'insideLeft' as const,
      fontSize: 11,
      color: 'var(--ground)',
      formatter: ({ value }: { value: unknown }) => (typeof value === 'number' ? format(value) : ''),
    },
  };
}

function whiskerSeries(bars: readonly BarPair[]) {
  return {
    type: 'custom' as const,
    silent: true,
    // Above the bars, which would hide its lower half.
    z: 5,
    data: bars.flatMap(({ interval }, index) =>
      interval === undefined ? [] : [[index, interval.lower, interval.upper]],
    ),
    encode: { x: [1, 2], y: 0 },
    renderItem: drawWhisker,
  };
}

/** Where a bar's figure stands: within it, or behind it and its whisker where it has no room. */
function labelOf(value: number, whisker: BarPair['interval']) {
  const { lower, upper } = whisker ?? { lower: value, upper: value };
  if (lower >= labelledShare) return {};
  const plotWidth = chartWidth - labelWidth - rightMargin;
  return { position: 'right' as const, distance: 6 + (upper - value) * plotWidth, color: 'var(--ink)' };
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
