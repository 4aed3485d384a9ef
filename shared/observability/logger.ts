import type { LogLevel } from '../environment';
import pino, { type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { openLogOutput, type LogOutput } from './log-output';

export type { Logger };

/**
 * Creates a structured logger on standard output: JSON lines, or readable lines on a terminal. A log
 * that cannot be written never blocks the process.
 */
export function createLogger(level: LogLevel): Logger {
  const serializers = { err: describeError };
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers };
  if (level === 'silent') return pino(options);
  return pino(options, process.stdout.isTTY ? openForPerson() : openLogOutput(describeLoss));
}

function openForPerson(): LogOutput {
  const format = prettyFactory({ translateTime: 'SYS:HH:MM:ss' });
  const output = openLogOutput((lines) => format(describeLoss(lines)));
  return {
    write: (line) => {
      output.write(format(line));
    },
    flushSync: () => {
      output.flushSync();
    },
  };
}

const errorFields = ['type', 'message', 'stack', 'code', 'syscall', 'path', 'details'];

/**
 * Returns the known fields of an error only: libraries attach commands with passwords and whole requests
 * to their errors.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const described: Readonly<Record<string, unknown>> = { ...pino.stdSerializers.err(error) };
  return Object.fromEntries(errorFields.map((field) => [field, described[field]]));
}

/** Formats a line in the same way as the logger. */
function describeLoss(lines: number): string {
  const line = {
    level: pino.levels.values['warn'],
    time: new Date().toISOString(),
    lines,
    msg: 'lines of the log were lost: nobody took them, or there was no room on the disk',
  };
  return `${JSON.stringify(line)}\n`;
}
