import { createRequire } from 'node:module';
import type { EChartsOption, init as Init } from 'echarts';
import { type Markup, markup, trusted } from '../markup/markup';

/** Loaded with the first chart: an image that only serves is without it. */
const require_ = createRequire(__filename);

export interface ChartSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Draws with ECharts on the server: an SVG that scales to its container and needs no script. Colours are
 * given as CSS variables, so that one drawing suits the light and the dark scheme.
 *
 * @param description for those who cannot see it
 */
export function drawChart(description: string, size: ChartSize, option: EChartsOption): Markup {
  const { init } = require_('echarts') as { readonly init: typeof Init };
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' }, ...option });
    return markup`<svg role="img" aria-label="${description}" ${trusted(withoutHover(chart.renderToSVGString()))}`;
  } finally {
    // An undisposed chart keeps a timer, and with it the process, alive.
    chart.dispose();
  }
}

/** Leaves out the opening `<svg ` and the hover rules, which would act on the whole page. */
function withoutHover(svg: string): string {
  return svg
    .replace(/^<svg /, '')
    .replace(/<style >.*?<\/style>/s, '')
    .replace(/ class="zr\d+-cls-\d+"/g, '')
    .replace(/ ecmeta_\w+="[^"]*"/g, '')
    .replace(/\n+/g, '\n');
}

interface AxisTitle {
  readonly name: string;
  readonly nameLocation: 'middle';
  readonly nameGap: number;
  readonly nameTextStyle: { readonly color: string; readonly fontSize: number };
}

/** An axis's title in its middle, `gap` pixels off the axis: beyond the labels. */
export function titled(name: string, gap: number): AxisTitle {
  return {
    name,
    nameLocation: 'middle',
    nameGap: gap,
    nameTextStyle: { color: 'var(--muted)', fontSize: 13 },
  };
}

/** Colours of axes and grid, shared by all charts. */
export const axisStyle = {
  axisLine: { lineStyle: { color: 'var(--muted)' } },
  axisTick: { lineStyle: { color: 'var(--muted)' } },
  axisLabel: { color: 'var(--muted)', fontSize: 13 },
  splitLine: { lineStyle: { color: 'var(--line)' } },
};
