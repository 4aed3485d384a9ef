import { constants } from 'node:os';
import { isatty } from 'node:tty';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** Nobody is so impatient: a signal that follows the first within this time repeats it. */
const impatientMs = 500;

/**
 * Calls `stop` at the first SIGTERM or SIGINT. A later one is from somebody who does not want to wait: it
 * ends the process at once, with 128 + its number. Below npm in a terminal, one Ctrl-C is two signals, the
 * terminal's and the one that npm passes on, and on a busy machine npm's can be late: there the third
 * signal is the first that can mean a second Ctrl-C.
 * @param exit for a process that has threads, which may not be ended by force
 */
export function onStopSignal(
  stop: (signal: StopSignal) => void,
  exit: (code: number) => void = (code) => process.exit(code),
): void {
  const signalsOfOneStop = isBelowNpmInTerminal() ? 2 : 1;
  let received = 0;
  let firstMs = 0;
  const take = (signal: StopSignal): void => {
    received++;
    if (received === 1) {
      firstMs = performance.now();
      stop(signal);
    } else if (received > signalsOfOneStop && performance.now() - firstMs >= impatientMs) {
      exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGTERM', take);
  process.on('SIGINT', take);
}

/** Whether a package manager's script started this process in a terminal. */
function isBelowNpmInTerminal(): boolean {
  return process.env['npm_lifecycle_event'] !== undefined && isatty(0);
}
