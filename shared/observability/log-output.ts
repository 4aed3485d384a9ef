import { constants, openSync, writevSync } from 'node:fs';

/** Destination of log lines. */
export interface LogOutput {
  write(line: string): void;
  /** Writes the waiting lines as far as the reader accepts them. */
  flushSync(): void;
}

interface Waiting {
  readonly bytes: Buffer;
  /** Number of log lines; a line about lost lines counts for all of them. */
  readonly lines: number;
}

/** Limit of the lines that wait for a slow reader; further lines are lost and counted. */
const maxWaitingBytes = 1 << 20;
/** Delay before the next attempt when the reader accepts nothing; it doubles each time. */
const [firstRetryMs, maxRetryMs] = [1, 50];
/** Time for the reader at the end of the process. */
const exitTimeoutMs = 500;
/** Lines per system call; IOV_MAX on Linux is 1024. */
const maxLinesPerWrite = 512;

/** Error codes of an output without a reader, which will not return. */
const closedCodes = ['EPIPE', 'EBADF', 'ECONNRESET', 'EIO'];

/**
 * Opens standard output for a log that never blocks the process: not on a pipe that nobody reads, a
 * stopped terminal or a full disk. Lines that cannot be written wait, up to 1 MiB. Further lines, or
 * those without space on a disk, are lost, and `describeLoss` writes one line with their number. When
 * the reader closes its end, only the log ends.
 */
export function openLogOutput(describeLoss: (lines: number) => string): LogOutput {
  const descriptor = openUnblocked();
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  /**
   * The first waiting line was written in part. It is completed later, so that every line in the log is
   * whole.
   */
  let isCut = false;
  let lost = 0;
  let closed = false;
  let isDue = false;

  const put = (line: string, lines = 1): void => {
    const bytes = Buffer.from(line);
    waiting.push({ bytes, lines });
    waitingBytes += bytes.byteLength;
  };

  const wrote = (bytes: number): void => {
    waitingBytes -= bytes;
    let left = bytes;
    for (let next = waiting[0]; next !== undefined && next.bytes.byteLength <= left; next = waiting[0]) {
      left -= next.bytes.byteLength;
      isCut = false;
      waiting.shift();
    }
    if (left === 0) return;
    const { bytes: all, lines } = waiting[0]!;
    waiting[0] = { bytes: all.subarray(left), lines };
    isCut = true;
  };

  /**
   * Writes the waiting lines, then the number of lost lines.
   * @throws the file system's error
   */
  const writeAll = (): void => {
    for (;;) {
      if (waiting.length === 0 && lost > 0) {
        put(describeLoss(lost), lost);
        lost = 0;
      }
      if (waiting.length === 0) return;
      wrote(
        writevSync(
          descriptor,
          waiting.slice(0, maxLinesPerWrite).map(({ bytes }) => bytes),
        ),
      );
    }
  };

  /** @returns whether the reader must be waited for */
  const flush = (): boolean => {
    try {
      writeAll();
      return false;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return true;
      closed = closedCodes.includes(code);
      // The disk is full: the next line tries again.
      const dropped = waiting.splice(isCut ? 1 : 0);
      lost += dropped.reduce((sum, { lines }) => sum + lines, 0);
      waitingBytes = waiting[0]?.bytes.byteLength ?? 0;
      return false;
    }
  };

  const flushNow = (retryMs: number): void => {
    const before = waitingBytes;
    isDue = flush();
    if (!isDue) return;
    const nextMs = waitingBytes < before ? firstRetryMs : Math.min(2 * retryMs, maxRetryMs);
    setTimeout(flushNow, retryMs, nextMs).unref();
  };

  const flushSync = (): void => {
    const endMs = performance.now() + exitTimeoutMs;
    while (!closed && flush() && performance.now() < endMs) sleep(firstRetryMs);
  };

  process.on('exit', flushSync);
  return {
    write(line) {
      if (closed) return;
      if (waitingBytes >= maxWaitingBytes) lost++;
      else put(line);
      if (isDue) return;
      isDue = true;
      // All lines of one iteration of the event loop are written in one system call.
      setImmediate(flushNow, firstRetryMs);
    },
    flushSync,
  };
}

/** Returns a descriptor of standard output on which a write fails instead of blocking. */
function openUnblocked(): number {
  const { isTTY, fd } = process.stdout;
  // Node has made a pipe or socket non-blocking when it opened the stream. A terminal is opened again,
  // because other processes share it.
  if (!isTTY) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // The terminal belongs to another user (su); writes to it may block.
    return fd;
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
