import { columnsPerSecond, spectrumRows } from './spectrum.js';

/** A sound event in the picture. */
export interface EventSpan {
  readonly words: string;
  readonly onsetSeconds: number;
  readonly offsetSeconds: number | undefined;
  /** Row below the spectrogram, from 0 to `maxLanes` − 1; overlapping events are in different rows. */
  readonly lane: number;
}

/** Draws the scrolling spectrogram and the events below it. */
export interface ScopePainter {
  /** Number of columns added since the picture was cleared. */
  readonly columns: number;
  add(column: Uint8Array): void;
  clear(): void;
  /** Adapts to the canvas' size and to new colours; the columns are kept. */
  fit(palette: Uint32Array): void;
  /**
   * @param head the newest column that is shown, with its fraction
   * @param still false: the picture scrolls and `head` is at the right edge; true: it does not scroll,
   *   and new columns replace old ones from left to right
   */
  paint(head: number, spans: readonly EventSpan[], still: boolean): void;
}

/** Rows for events: there is always room for two; more are added when needed. */
const minLanes = 2;
export const maxLanes = 4;
const laneHeight = 26;
const hiddenColumns = 8;
const [tickSeconds, tickColumns] = [5, 5 * columnsPerSecond];

export function createScopePainter(canvas: HTMLCanvasElement): ScopePainter {
  const context = canvas.getContext('2d', { alpha: false })!;
  /** The spectrogram at one pixel a column, as a ring buffer: column c is at x = c modulo the width. */
  const ring = document.createElement('canvas');
  const ringContext = ring.getContext('2d', { alpha: false })!;
  let palette = new Uint32Array(256);
  let levels: (Uint8Array | undefined)[] = [];
  let count = 0;
  let width = 1;
  /** Width of the ring. It exceeds the visible width by the newest columns, which are not shown yet. */
  let ringWidth = 1;

  const paintColumn = (column: number): void => {
    const image = ringContext.createImageData(1, spectrumRows);
    const pixels = new Uint32Array(image.data.buffer);
    const values = levels[column % ringWidth];
    for (let row = 0; row < spectrumRows; row += 1) {
      pixels[spectrumRows - 1 - row] = palette[values?.[row] ?? 0]!;
    }
    ringContext.putImageData(image, column % ringWidth, 0);
  };
  const blank = (): void => {
    for (let column = 0; column < ringWidth; column += 1) paintColumn(column);
  };

  return {
    get columns() {
      return count;
    },
    add(column) {
      levels[count % ringWidth] = column;
      paintColumn(count);
      count += 1;
    },
    clear() {
      levels = [];
      count = 0;
      blank();
    },
    fit(colours) {
      width = Math.max(1, canvas.clientWidth);
      const newRingWidth = width + hiddenColumns;
      const kept = Array.from({ length: Math.min(ringWidth, newRingWidth, count) }, (_, back) => {
        return [count - 1 - back, levels[(count - 1 - back) % ringWidth]] as const;
      });
      palette = colours as Uint32Array<ArrayBuffer>;
      ringWidth = newRingWidth;
      levels = [];
      for (const [column, values] of kept) levels[column % ringWidth] = values;
      [ring.width, ring.height] = [ringWidth, spectrumRows];
      canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
      canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
      blank();
    },
    paint(head, spans, still) {
      const colours = readColours(canvas);
      const lanes = spans.reduce((highest, { lane }) => Math.max(highest, lane + 1), minLanes);
      const height = canvas.clientHeight - lanes * laneHeight - 4;
      // A still picture is filled from the left and starts over; a scrolling one ends at the newest
      // column.
      const left = still ? Math.floor(Math.max(0, head - 1) / width) * width : head - width;
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      context.fillStyle = colours.surface;
      context.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
      // Right of the cursor, a still picture shows its previous pass.
      if (still) paintRing(height, left - width, left, left - width);
      if (still) {
        context.fillStyle = colours.surface;
        context.fillRect(0, 0, head - left, height);
      }
      paintRing(height, Math.max(0, left), head, left);
      paintTicks(colours, height, left, head, still);
      paintSpans(colours, height, left, head, spans);
      if (still) paintCursor(colours, height, head - left);
    },
  };

  /** Draws the columns [from, to); column `left` is at the canvas' left edge. */
  function paintRing(height: number, from: number, to: number, left: number): void {
    let at = Math.max(from, 0, count - ringWidth);
    while (at < to) {
      const place = at % ringWidth;
      const length = Math.min(to - at, ringWidth - place);
      context.drawImage(ring, place, 0, length, spectrumRows, at - left, 0, length, height);
      at += length;
    }
  }

  function paintTicks(colours: Colours, height: number, left: number, head: number, still: boolean): void {
    if (count === 0 || still) return;
    context.lineJoin = 'round';
    context.font = `11px ${colours.font}`;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    for (let back = tickColumns; back < width - 20; back += tickColumns) {
      const x = head - back - left;
      context.fillStyle = colours.grid;
      context.fillRect(x, 0, 1, height);
      const words = `−${(back / tickColumns) * tickSeconds} s`;
      context.lineWidth = 4;
      context.strokeStyle = colours.surface;
      context.strokeText(words, x, 6);
      context.fillStyle = colours.tick;
      context.fillText(words, x, 6);
    }
  }

  function paintSpans(
    colours: Colours,
    height: number,
    left: number,
    head: number,
    spans: readonly EventSpan[],
  ): void {
    context.font = `600 13px ${colours.font}`;
    context.textAlign = 'left';
    context.textBaseline = 'middle';
    for (const { words, onsetSeconds, offsetSeconds, lane } of spans) {
      const from = Math.max(-8, onsetSeconds * columnsPerSecond - left);
      const to = Math.min(width, Math.min(head, (offsetSeconds ?? Infinity) * columnsPerSecond) - left);
      if (to - from < 2) continue;
      const top = height + 4 + lane * laneHeight;
      context.save();
      context.beginPath();
      context.roundRect(from, top, to - from - 1, laneHeight - 3, 6);
      context.clip();
      context.fillStyle = colours.span;
      context.fillRect(from, top, to - from, laneHeight);
      context.fillStyle = colours.spanText;
      context.fillText(words, Math.max(8, from + 8), top + (laneHeight - 3) / 2 + 1);
      context.restore();
    }
  }

  function paintCursor(colours: Colours, height: number, x: number): void {
    context.fillStyle = colours.cursor;
    context.fillRect(x - 1, 0, 2, height);
  }
}

interface Colours {
  readonly surface: string;
  readonly grid: string;
  readonly tick: string;
  readonly span: string;
  readonly spanText: string;
  readonly cursor: string;
  readonly font: string;
}

function readColours(canvas: HTMLElement): Colours {
  const style = getComputedStyle(canvas);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    surface: value('--lane'),
    grid: value('--grid'),
    tick: value('--tick'),
    span: value('--span'),
    spanText: value('--span-text'),
    cursor: value('--accent'),
    font: style.fontFamily,
  };
}
