/**
 * Reads the colours of the spectrogram, which the style sheet has for both colour schemes.
 * @returns 256 colours from quiet to loud, packed as canvas pixels (ABGR)
 * @throws TypeError for a colour that is not of the form #rrggbb
 */
export function readPalette(): Uint32Array {
  const style = getComputedStyle(document.documentElement);
  const stops = [0, 1, 2, 3, 4].map((index) =>
    parseHex(style.getPropertyValue(`--spectrum-${index}`).trim()),
  );
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const position = (value / 255) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(position));
    const [from, to, share] = [stops[below]!, stops[below + 1]!, position - below];
    const [red, green, blue] = [0, 1, 2].map((part) =>
      Math.round(from[part]! * (1 - share) + to[part]! * share),
    ) as [number, number, number];
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

function parseHex(colour: string): readonly number[] {
  const match = /^#([0-9a-f]{6})$/i.exec(colour);
  if (match === null) throw new TypeError(`expected a colour like #0f5f5a, got ${colour}`);
  const value = Number.parseInt(match[1]!, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
