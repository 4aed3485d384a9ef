import { columnsPerSecond, spectrumRows } from './spectrum.js';

export interface HeardSpan {
  readonly words: string;
  readonly onsetSeconds: number;
  readonly offsetSeconds: number | undefined;
  /** Sounds that overlap lie one below the other: from 0 to `mostLanes` − 1. */
  readonly lane: number;
}

export interface ScopePainter {
  /** Columns added since the picture was cleared. */
  readonly columns: number;
  add(column: Uint8Array): void;
  clear(): void;
  /** Adapts to the canvas' size and to new colours; nothing that was seen is lost. */
  fit(palette: Uint32Array): void;
  /** @param head the column at the right edge; standing still, new columns replace old ones from left to right */
  paint(head: number, spans: readonly HeardSpan[], still: boolean): void;
}

/** Room for two sounds at once is always there; for more it is made when they are heard. */
const fewestLanes = 2;
export const mostLanes = 4;
const laneHeight = 26;
const waitingColumns = 8;
const [tickSeconds, tickColumns] = [5, 5 * columnsPerSecond];

export function createScopePainter(canvas: HTMLCanvasElement): ScopePainter {
  const screen = canvas.getContext('2d', { alpha: false })!;
  /** The spectrogram at one pixel a column; column c lies at c modulo its width. */
  const ring = document.createElement('canvas');
  const ink = ring.getContext('2d', { alpha: false })!;
  let palette = new Uint32Array(256);
  let levels: (Uint8Array | undefined)[] = [];
  let count = 0;
  let width = 1;
  /** A little wider than what is seen: the newest columns wait outside until the picture has moved on. */
  let turn = 1;

  const paintColumn = (column: number): void => {
    const image = ink.createImageData(1, spectrumRows);
    const pixels = new Uint32Array(image.data.buffer);
    const values = levels[column % turn];
    for (let row = 0; row < spectrumRows; row += 1) {
      pixels[spectrumRows - 1 - row] = palette[values?.[row] ?? 0]!;
    }
    ink.putImageData(image, column % turn, 0);
  };
  const blank = (): void => {
    for (let column = 0; column < turn; column += 1) paintColumn(column);
  };

  return {
    get columns() {
      return count;
    },
    add(column) {
      levels[count % turn] = column;
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
      const newTurn = width + waitingColumns;
      const kept = Array.from({ length: Math.min(turn, newTurn, count) }, (_, back) => {
        return [count - 1 - back, levels[(count - 1 - back) % turn]] as const;
      });
      palette = colours as Uint32Array<ArrayBuffer>;
      turn = newTurn;
      levels = [];
      for (const [column, values] of kept) levels[column % turn] = values;
      [ring.width, ring.height] = [turn, spectrumRows];
      canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
      canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
      blank();
    },
    paint(head, spans, still) {
      const colours = readColours(canvas);
      const lanes = spans.reduce((most, { lane }) => Math.max(most, lane + 1), fewestLanes);
      const height = canvas.clientHeight - lanes * laneHeight - 4;
      // Standing still, the picture fills from the left and starts over; moving, its right edge is now.
      const left = still ? Math.floor(Math.max(0, head - 1) / width) * width : head - width;
      screen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      screen.fillStyle = colours.surface;
      screen.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
      // What lies right of a standing picture's cursor is from its last turn.
      if (still) paintRing(height, left - width, left, left - width);
      if (still) {
        screen.fillStyle = colours.surface;
        screen.fillRect(0, 0, head - left, height);
      }
      paintRing(height, Math.max(0, left), head, left);
      paintTicks(colours, height, left, head, still);
      paintSpans(colours, height, left, head, spans);
      if (still) paintCursor(colours, height, head - left);
    },
  };

  /** The columns of a range, of which column `left` is at the canvas' left edge. */
  function paintRing(height: number, from: number, to: number, left: number): void {
    let at = Math.max(from, 0, count - turn);
    while (at < to) {
      const place = at % turn;
      const length = Math.min(to - at, turn - place);
      screen.drawImage(ring, place, 0, length, spectrumRows, at - left, 0, length, height);
      at += length;
    }
  }

  function paintTicks(colours: Colours, height: number, left: number, head: number, still: boolean): void {
    if (count === 0 || still) return;
    screen.lineJoin = 'round';
    screen.font = `11px ${colours.font}`;
    screen.textAlign = 'center';
    screen.textBaseline = 'top';
    for (let back = tickColumns; back < width - 20; back += tickColumns) {
      const x = head - back - left;
      screen.fillStyle = colours.grid;
      screen.fillRect(x, 0, 1, height);
      const words = `−${(back / tickColumns) * tickSeconds} s`;
      screen.lineWidth = 4;
      screen.strokeStyle = colours.surface;
      screen.strokeText(words, x, 6);
      screen.fillStyle = colours.tick;
      screen.fillText(words, x, 6);
    }
  }

  function paintSpans(
    colours: Colours,
    height: number,
    left: number,
    head: number,
    spans: readonly HeardSpan[],
  ): void {
    screen.font = `600 13px ${colours.font}`;
    screen.textAlign = 'left';
    screen.textBaseline = 'middle';
    for (const { words, onsetSeconds, offsetSeconds, lane } of spans) {
      const from = Math.max(-8, onsetSeconds * columnsPerSecond - left);
      const to = Math.min(width, Math.min(head, (offsetSeconds ?? Infinity) * columnsPerSecond) - left);
      if (to - from < 2) continue;
      const top = height + 4 + lane * laneHeight;
      screen.save();
      screen.beginPath();
      screen.roundRect(from, top, to - from - 1, laneHeight - 3, 6);
      screen.clip();
      screen.fillStyle = colours.span;
      screen.fillRect(from, top, to - from, laneHeight);
      screen.fillStyle = colours.spanText;
      screen.fillText(words, Math.max(8, from + 8), top + (laneHeight - 3) / 2 + 1);
      screen.restore();
    }
  }

  function paintCursor(colours: Colours, height: number, x: number): void {
    screen.fillStyle = colours.cursor;
    screen.fillRect(x - 1, 0, 2, height);
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
