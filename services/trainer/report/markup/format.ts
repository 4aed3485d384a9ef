import type { Spread } from '../../../../shared/contracts/report';
import type { MeanInterval } from '../../../../shared/metrics/mean-interval';

/**
 * Points to one decimal, halves away from zero: 0.6375 is 63.8 and 0.3875 is 38.8, whatever binary
 * fraction stands for them. One rule for tables, bars and texts, because a clip of 80 is 1.25 points.
 */
function points(share: number): string {
  const tenths = Math.round(Math.abs(share) * 1000 + 1e-9);
  return `${share < 0 && tenths > 0 ? '−' : ''}${(tenths / 10).toFixed(1)}`;
}

export function percent(share: number): string {
  return `${points(share)} %`;
}

/** A tick of an axis, which lies on a whole per cent. */
export function tickPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `+2.5 (−8.1 to 13.1)`: a difference of shares in points, with its interval. */
export function difference({ mean, lower, upper }: MeanInterval): string {
  const sign = mean > 0 ? '+' : '';
  return `${sign}${points(mean)} (${points(lower)} to ${points(upper)})`;
}

/** `35.7–57.1 %` */
export function interval({ lower, upper }: { readonly lower: number; readonly upper: number }): string {
  return `${points(lower)}–${percent(upper)}`;
}

/** `48.8 ± 6.2 %`; without a spread where a single fold knows none. */
export function percentSpread({ mean, standardDeviation }: Spread): string {
  if (standardDeviation === null) return percent(mean);
  return `${points(mean)} ± ${percent(standardDeviation)}`;
}

export function ratio(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

export function ratioSpread({ mean, standardDeviation }: Spread): string {
  return standardDeviation === null ? ratio(mean) : `${ratio(mean)} ± ${ratio(standardDeviation)}`;
}

export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
