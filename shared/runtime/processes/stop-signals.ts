import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { isBelowNpm } from '../../environment';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** A second signal within this time of the first counts as a repetition of it. */
const repeatWindowMs = 500;

/**
 * Calls `stop` at the first SIGTERM or SIGINT. A later signal ends the process at once, with exit code
 * 128 + signal number. A process that npm started in a terminal receives each Ctrl-C twice: from the
 * terminal and from npm. The second copy can be late on a busy machine, so there only the third signal
 * counts as a second Ctrl-C.
 * @param exit ends a process that has threads, which must not be ended by force
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
    } else if (received > signalsOfOneStop && performance.now() - firstMs >= repeatWindowMs) {
      exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGTERM', take);
  process.on('SIGINT', take);
}

/** Tells whether a package manager's script started this process in a terminal. */
function isBelowNpmInTerminal(): boolean {
  return isBelowNpm() && isatty(0);
}
