import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Behind `answers`: what computes lets the event loop go first, so that requests are taken in, refused and answered at once however
 * much there is to compute. Behind `others`: what takes long and can wait, but not for ever. Behind `everything`: a version that is
 * only tried out gets what nobody else wants.
 */
export type Behind = 'answers' | 'others' | 'everything';

/** Niceness beside the process's own. A thread gets a third of an event loop's share behind `answers`, a third of that behind `others`. */
const niceness = { answers: 5, others: 10, everything: constants.priority.PRIORITY_LOW };

/**
 * Lowers the priority of the calling thread, and of those that it starts. Only Linux has priorities of single threads; elsewhere
 * nothing changes.
 */
export function lowerPriority(behind: Behind): void {
  const id = ownThreadId();
  if (id !== undefined) stepThreadBack(id, behind);
}

/** The calling thread as the system numbers it; undefined where it does not say. */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/')[2]);
  } catch {
    return undefined;
  }
}

/** As `lowerPriority`, of another thread of this process, or of a process that it started. */
export function stepThreadBack(id: number, behind: Behind): void {
  try {
    const lowest = constants.priority.PRIORITY_LOW;
    setPriority(id, Math.min(lowest, getPriority(process.pid) + niceness[behind]));
  } catch {
    // A sandbox that forbids it, or a thread that is gone: fair shares then.
  }
}
