import { StringDecoder } from 'node:string_decoder';
import { takeWarnings } from '../runtime/threads/take-warnings';
import type { Logger } from './logger';

/** Longer text without a line break is split into lines of this length. */
const maxLineLength = 8192;

/**
 * Turns everything that the process prints, on any thread, into lines of this log: `console`, libraries
 * that write to a standard stream, and Node's warnings. The log itself bypasses these streams
 * (log-output.ts). Native code that writes to the descriptors is not captured, for example the last
 * message of a crash. (Output of libtensorflow is: compute/provide/stderr-tap.ts.)
 */
export function captureOutput(logger: Logger): void {
  const capture = (stream: NodeJS.WriteStream, log: (line: string) => void): void => {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    const logLine = (line: string): void => {
      if (line.trim() !== '') log(line);
    };
    const write = (chunk: Uint8Array | string, ...others: unknown[]): boolean => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      lines.forEach(logLine);
      if (rest.length > maxLineLength) {
        logLine(rest);
        rest = '';
      }
      const done = others.find((other) => typeof other === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    stream.write = write;
    // Runs before the log writes its last lines.
    process.prependListener('exit', () => {
      logLine(rest);
    });
  };
  capture(process.stdout, (line) => {
    logger.info({ printed: 'stdout' }, line);
  });
  capture(process.stderr, (line) => {
    logger.warn({ printed: 'stderr' }, line);
  });
  takeWarnings((warning) => {
    logger.warn({ err: warning }, `${warning.name}: ${warning.message}`);
  });
}
