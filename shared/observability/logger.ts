import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Structured logs on standard output: JSON lines, or lines for people where a person is looking. */
export function createLogger(level: (typeof logLevels)[number]): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!process.stdout.isTTY) return pino(options);
  return pino(options, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss' }));
}
