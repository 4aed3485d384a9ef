/** What is written to: standard error, or a test's list of strings. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** One line that changes while something goes on. */
export interface StatusLine {
  /** On a terminal the line is redrawn, at most ten times a second; elsewhere nothing is written. */
  update(text: string): void;
  /** A line that stays; on a terminal it takes the changing line's place. */
  print(text: string): void;
  /** Ends the changing line, if there is one, as it was last drawn. */
  close(): void;
}

const redrawMs = 100;
const clearLine = '\r\x1b[2K';

/** @param now milliseconds, of any origin */
export function createStatusLine(stream: TextStream, now: () => number = Date.now): StatusLine {
  let drawnAt = -Infinity;
  let open = false;
  return {
    update: (text) => {
      if (!stream.isTTY || now() - drawnAt < redrawMs) return;
      drawnAt = now();
      open = true;
      // A line that wraps could not be cleared; the last column stays free, for there terminals wrap.
      stream.write(clearLine + text.slice(0, (stream.columns ?? 80) - 1));
    },
    print: (text) => {
      stream.write(`${open ? clearLine : ''}${text}\n`);
      open = false;
      drawnAt = -Infinity;
    },
    close: () => {
      if (open) stream.write('\n');
      open = false;
    },
  };
}
