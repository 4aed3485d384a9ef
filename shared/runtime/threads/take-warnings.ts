/**
 * Passes warnings of Node.js and of libraries on this thread to `take`. Node.js would print them on
 * standard error. Nothing is passed where warnings are switched off (`--no-warnings`).
 */
export function takeWarnings(take: (warning: Error) => void): void {
  // Node's own listener, which prints, is registered at the start.
  if (process.listenerCount('warning') === 0) return;
  process.removeAllListeners('warning');
  process.on('warning', take);
}
