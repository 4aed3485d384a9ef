import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/** Beyond the main thread's niceness: of a core that both want all of, such a thread gets a quarter. */
const stepsBack = 5;

/**
 * Puts the calling thread, and those it starts, behind the process's main thread: what accepts, refuses and sends is short
 * and should not wait for a core until a batch or a recording is through. Only Linux has priorities of single threads;
 * elsewhere nothing changes.
 */
export function stepBack(): void {
  try {
    const [, , threadId] = readlinkSync('/proc/thread-self').split('/');
    const niceness = Math.min(constants.priority.PRIORITY_LOW, getPriority(process.pid) + stepsBack);
    setPriority(Number(threadId), niceness);
  } catch {
    // A sandbox that hides or forbids it: fair shares then.
  }
}
