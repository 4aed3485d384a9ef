interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

/** Commas between entries, or semicolons between parameters, but not those in quotes. */
function split(text: string, separator: ',' | ';'): string[] {
  const parts = text.match(
    separator === ',' ? /(?:"(?:\\.|[^"\\])*"|[^,"])+/g : /(?:"(?:\\.|[^"\\])*"|[^;"])+/g,
  );
  return (parts ?? []).map((part) => part.trim());
}

function readRange(entry: string): MediaRange {
  const [type = '', ...parameters] = split(entry, ';');
  const weight = parameters
    .map((text) => /^q\s*=\s*"?([\d.]+)"?$/i.exec(text)?.[1])
    .find((q) => q !== undefined);
  const quality = weight === undefined ? 1 : Math.min(1, Number(weight));
  return { type: type.toLowerCase(), quality: Number.isNaN(quality) ? 0 : quality };
}

/**
 * How exactly a range names a type: 2 by its name, 1 by its kind (`text/*`), 0 as any; undefined: not at
 * all.
 */
function exactness(range: string, type: string): number | undefined {
  if (range === type) return 2;
  if (range === `${type.split('/')[0]!}/*`) return 1;
  return range === '*/*' || range === '*' ? 0 : undefined;
}

/**
 * Which of `offered` an Accept header likes best (RFC 9110, 12.5.1); of equally liked ones the first.
 * Parameters narrow nothing, since no type here has any that matters. A header that is missing or empty
 * likes everything.
 * @returns undefined when it takes none of them
 */
export function bestType<T extends string>(accept: string | undefined, offered: readonly T[]): T | undefined {
  const ranges = split(accept ?? '', ',')
    .filter((entry) => entry !== '')
    .map(readRange);
  if (ranges.length === 0) return offered[0];
  const rated = offered.map((type) => ({ type, quality: qualityOf(type, ranges) }));
  const best = Math.max(...rated.map(({ quality }) => quality));
  return best === 0 ? undefined : rated.find(({ quality }) => quality === best)!.type;
}

/** What the ranges that name a type most exactly say of it; 0 when none does. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  let exact = -1;
  let quality = 0;
  for (const range of ranges) {
    const found = exactness(range.type, type);
    if (found === undefined || found < exact) continue;
    quality = found === exact ? Math.max(quality, range.quality) : range.quality;
    exact = found;
  }
  return quality;
}
