import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/** Beyond the main thread's niceness: of a core that both want all of, such a thread gets a quarter. */
const computingSteps = 5;

/** … and of one that both want, what is only tried out gets next to nothing while others compute. */
export const triedOutSteps = 19;

/**
 * Puts the calling thread, and those it starts, behind the process's main thread: what accepts, refuses and sends is short
 * and should not wait for a core until a batch or a recording is through. Only Linux has priorities of single threads;
 * elsewhere nothing changes.
 */
export function stepBack(steps: number = computingSteps): void {
  try {
    const [, , threadId] = readlinkSync('/proc/thread-self').split('/');
    const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + steps);
    setPriority(Number(threadId), niceness);
  } catch {
    // A sandbox that hides or forbids it: fair shares then.
  }
}
