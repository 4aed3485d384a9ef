/**
 * Marks a promise as started now and awaited later, or never. Whoever awaits it gets its result or
 * error. Without this, Node ends the process when a promise rejects before anybody awaits it.
 */
export function startInBackground<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
