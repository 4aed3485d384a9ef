import type { Spread } from '../../../shared/contracts/report';

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** `35.7–57.1 %` */
export function interval({ lower, upper }: { readonly lower: number; readonly upper: number }): string {
  return `${(lower * 100).toFixed(1)}–${percent(upper)}`;
}

/** `48.8 ± 6.2 %`; without a spread where a single fold knows none. */
export function percentSpread({ mean, standardDeviation }: Spread): string {
  if (standardDeviation === null) return percent(mean);
  return `${(mean * 100).toFixed(1)} ± ${percent(standardDeviation)}`;
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
