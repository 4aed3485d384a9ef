import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Gives the calling thread, and those it starts, the lowest priority: a version that is only tried out gets what nobody else
 * wants. Only Linux has priorities of single threads; elsewhere nothing changes.
 */
export function stepBack(): void {
  try {
    const [, , threadId] = readlinkSync('/proc/thread-self').split('/');
    setPriority(Number(threadId), constants.priority.PRIORITY_LOW);
  } catch {
    // A sandbox that hides or forbids it: fair shares then.
  }
}
