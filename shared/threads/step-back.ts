import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Behind `answers`: what computes lets the event loop go first, so that requests are taken in, refused and answered at once however
 * much there is to compute. Behind `everything`: a version that is only tried out gets what nobody else wants.
 */
export type Behind = 'answers' | 'everything';

/** Niceness beside the process's own: a third of an event loop's share where there are too few cores for both. */
const behindAnswers = 5;

/**
 * Lowers the priority of the calling thread, and of those that it starts. Only Linux has priorities of single threads; elsewhere
 * nothing changes.
 */
export function stepBack(behind: Behind): void {
  try {
    const [, , threadId] = readlinkSync('/proc/thread-self').split('/');
    const lowest = constants.priority.PRIORITY_LOW;
    setPriority(
      Number(threadId),
      behind === 'everything' ? lowest : Math.min(lowest, getPriority(process.pid) + behindAnswers),
    );
  } catch {
    // A sandbox that hides or forbids it: fair shares then.
  }
}
