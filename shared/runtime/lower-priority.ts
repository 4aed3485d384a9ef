import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * What a thread or process gives way to. `answers`: computing that gives way to the event loop, so that
 * requests are accepted, refused and answered at once. `others`: long work that can wait but must go on.
 * `everything`: work that only gets CPU time that nobody else wants, such as a shadow version.
 */
export type GivesWayTo = 'answers' | 'others' | 'everything';

/**
 * Niceness to add to that of the process. At `answers` a thread gets a third of the CPU share of the
 * event loop, at `others` a third of that.
 */
const niceness = { answers: 5, others: 10, everything: constants.priority.PRIORITY_LOW };

/**
 * Lowers the priority of the calling thread and of the threads that it starts later. Only Linux has
 * priorities for single threads; on other systems this does nothing.
 */
export function lowerPriority(behind: GivesWayTo): void {
  const id = ownThreadId();
  if (id !== undefined) lowerThreadPriority(id, behind);
}

/**
 * Returns the thread id that the system gives to the calling thread; undefined where the system does not
 * say.
 */
export function ownThreadId(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/')[2]);
  } catch {
    return undefined;
  }
}

/**
 * Lowers the priority of another thread of this process, or of a child process.
 * @param id the system's thread or process id
 */
export function lowerThreadPriority(id: number, behind: GivesWayTo): void {
  try {
    const lowest = constants.priority.PRIORITY_LOW;
    setPriority(id, Math.min(lowest, getPriority(process.pid) + niceness[behind]));
  } catch {
    // The sandbox forbids it, or the thread has ended. The thread then keeps its usual share.
  }
}
