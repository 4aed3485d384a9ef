import { StringDecoder } from 'node:string_decoder';
import { takeWarnings } from '../runtime/threads/take-warnings';
import type { Logger } from './logger';

/** More without an end of line is a line, too. */
const maxLineLength = 8192;

/**
 * Makes lines of this log of what anything in the process prints, on whichever of its threads: `console`, a library that writes to a
 * standard stream, Node's own warnings. The log itself goes past these streams (log-output.ts). What native code writes to the
 * descriptors stays as it is: the last words of a process that dies. (What libtensorflow writes there comes here: compute/provide/stderr-tap.ts.)
 */
export function captureOutput(logger: Logger): void {
  const capture = (stream: NodeJS.WriteStream, log: (line: string) => void): void => {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    const say = (line: string): void => {
      if (line.trim() !== '') log(line);
    };
    const write = (chunk: Uint8Array | string, ...others: unknown[]): boolean => {
      const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      lines.forEach(say);
      if (rest.length > maxLineLength) {
        say(rest);
        rest = '';
      }
      const done = others.find((other) => typeof other === 'function') as (() => void) | undefined;
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    stream.write = write;
    // Before the log writes its last lines.
    process.prependListener('exit', () => {
      say(rest);
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
