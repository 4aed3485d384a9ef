/**
 * Work that is begun now and asked for later, perhaps never: whoever asks gets its result or its error, and until then the error is
 * nobody's. A promise that is only kept in a variable
 * ends the process when it fails before somebody waits for it.
 */
export function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
