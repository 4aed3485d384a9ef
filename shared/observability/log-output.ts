import { constants, openSync, writevSync } from 'node:fs';

/** Where lines of a log go. */
export interface LogOutput {
  write(line: string): void;
  /** Writes what waits, as far as it is taken. */
  flushSync(): void;
}

interface Waiting {
  readonly bytes: Buffer;
  /** Of the log: a line that tells of lost ones stands for all of them. */
  readonly lines: number;
}

/** Lines that wait for a slow reader; beyond that they are lost, and counted. */
const maxWaitingBytes = 1 << 20;
/** How soon a reader that takes nothing is tried again: twice as late each time. */
const [firstRetryMs, maxRetryMs] = [1, 50];
/** What a reader has at the end of the process. */
const lastWordsMs = 500;
/** Of one system call; IOV_MAX on Linux is 1024. */
const linesAtOnce = 512;

/** Nobody reads there any more, and nobody will. */
const closedCodes = ['EPIPE', 'EBADF', 'ECONNRESET', 'EIO'];

/**
 * Standard output as a place for a log. It never holds the process up, whatever is below it: a pipe that nobody reads, a terminal that
 * is stopped, a full disk. What cannot be written now waits, up to 1 MiB; what is more, or finds no room on a disk, is lost, and
 * `describeLoss` makes a line of how many lines that were. A reader that leaves ends the log and nothing else.
 */
export function openLogOutput(describeLoss: (lines: number) => string): LogOutput {
  const descriptor = openUnblocked();
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  /** The first one was written in part, and is ended one day, so that each line in the log is whole. */
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

  /** Writes what waits, and in the end how much was lost. @throws the file system's error */
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
          waiting.slice(0, linesAtOnce).map(({ bytes }) => bytes),
        ),
      );
    }
  };

  /** @returns whether the reader has to be waited for */
  const flush = (): boolean => {
    try {
      writeAll();
      return false;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return true;
      closed = closedCodes.includes(code);
      // No room: the next line finds out whether there is some again.
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
    const endMs = performance.now() + lastWordsMs;
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
      // The lines of one turn of the event loop are one system call.
      setImmediate(flushNow, firstRetryMs);
    },
    flushSync,
  };
}

/** A descriptor of standard output to which a write fails where it would have to wait. */
function openUnblocked(): number {
  const { isTTY, fd } = process.stdout;
  // Node has set a pipe or a socket so when it made the stream. A terminal is opened anew: others have it too.
  if (!isTTY) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Another user's terminal (su): it may hold us up.
    return fd;
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
