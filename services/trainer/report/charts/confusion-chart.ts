import type { CustomSeriesRenderItemParams, CustomSeriesRenderItemAPI } from 'echarts';
import type { Evaluation } from '../../../../shared/contracts/evaluation';
import { axisStyle, drawChart, titled } from './draw-chart';
import { type Markup, markup } from '../markup/markup';

const maxLabelWidth = 106;

/** How large a class is drawn: many classes share the space that few have. */
function cellSize(classCount: number): { cell: number; fontSize: number } {
  if (classCount <= 12) return { cell: 33, fontSize: 13 };
  if (classCount <= 30) return { cell: 20, fontSize: 10 };
  return { cell: 11, fontSize: 0 };
}

/**
 * Counts of true class (rows) against prediction (columns); the darker, the larger the share of the row.
 */
export function confusionChart(title: string, evaluation: Evaluation): Markup {
  const classes = evaluation.perClass.map((scores) => scores.class);
  const { cell, fontSize } = cellSize(classes.length);
  const side = classes.length * cell;
  // Some 7 px a character at this size; longer names are cut.
  const labelWidth = Math.min(maxLabelWidth, 7 * Math.max(...classes.map((name) => name.length)));
  const rotate = cell > 30 ? 60 : 90;
  const left = labelWidth + 42;
  const below = Math.round(labelWidth * Math.sin((rotate * Math.PI) / 180)) + 40;
  const data = evaluation.confusion.flatMap((row, trueClass) => {
    const support = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, predicted) => [predicted, trueClass, count, support === 0 ? 0 : count / support]);
  });
  const axis = {
    type: 'category' as const,
    data: classes,
    ...axisStyle,
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      color: 'var(--ink)',
      fontSize: Math.min(12, cell),
      interval: 0,
      width: labelWidth,
      overflow: 'truncate' as const,
    },
  };
  const chart = drawChart(
    `${title}: rows are true classes, columns predicted ones`,
    { width: left + side + 4, height: below + side + 4 },
    {
      grid: { left, top: 2, width: side, height: side, outerBoundsMode: 'none' },
      xAxis: { ...axis, axisLabel: { ...axis.axisLabel, rotate }, ...titled('predicted', below - 16) },
      yAxis: { ...axis, inverse: true, ...titled('true', left - 14) },
      series: [{ type: 'custom', silent: true, data, renderItem: drawCell(cell, fontSize) }],
    },
  );
  return markup`<div class="scroll natural" style="--natural: ${left + side + 4}px">${chart}</div>`;
}

function drawCell(cell: number, fontSize: number) {
  return (_: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) => {
    const [x, y] = api.coord([api.value(0), api.value(1)]) as [number, number];
    const count = Number(api.value(2));
    const share = Number(api.value(3));
    const box = { x: x - cell / 2 + 0.5, y: y - cell / 2 + 0.5, width: cell - 1, height: cell - 1 };
    return {
      type: 'group' as const,
      children: [
        {
          type: 'rect' as const,
          shape: { ...box, r: 2 },
          // Never quite transparent: the empty cells are the grid.
          style: { fill: 'var(--cell)', opacity: 0.06 + 0.94 * share },
        },
        {
          type: 'text' as const,
          style: {
            text: count === 0 || fontSize === 0 ? '' : String(count),
            x,
            y,
            align: 'center' as const,
            verticalAlign: 'middle' as const,
            fontSize,
            fill: 'var(--ink)',
          },
        },
      ],
    };
  };
}
