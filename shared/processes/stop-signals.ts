import { constants } from 'node:os';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/**
 * Below npm a terminal's Ctrl-C comes twice within milliseconds: from the terminal, and from npm, which passes it on. Nobody is so
 * impatient.
 */
const impatientMs = 500;

/**
 * Calls `stop` at the first SIGTERM or SIGINT. One that comes half a second later or more is from somebody who does not want to wait:
 * it ends the process at once, with 128 + its number.
 * @param exit for a process that has threads, which may not be ended by force
 */
export function onStopSignal(
  stop: (signal: StopSignal) => void,
  exit: (code: number) => void = (code) => process.exit(code),
): void {
  let firstMs: number | undefined;
  const take = (signal: StopSignal): void => {
    if (firstMs === undefined) {
      firstMs = performance.now();
      stop(signal);
    } else if (performance.now() - firstMs >= impatientMs) exit(128 + constants.signals[signal]);
  };
  process.on('SIGTERM', take);
  process.on('SIGINT', take);
}
