/** The output: standard error, or a test's list of strings. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** One line that is updated during an operation. */
export interface StatusLine {
  /** Redraws the line on a terminal, at most ten times a second; elsewhere nothing is written. */
  update(text: string): void;
  /** Prints a permanent line; on a terminal it replaces the updated line. */
  print(text: string): void;
  /** Ends the updated line as it was last drawn, if there is one. */
  close(): void;
}

const redrawMs = 100;
const clearLine = '\r\x1b[2K';

/** @param now milliseconds with an arbitrary zero point */
export function createStatusLine(stream: TextStream, now: () => number = Date.now): StatusLine {
  let drawnAt = -Infinity;
  let open = false;
  return {
    update: (text) => {
      if (!stream.isTTY || now() - drawnAt < redrawMs) return;
      drawnAt = now();
      open = true;
      // A wrapped line could not be cleared. The last column stays free, because terminals wrap there.
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
