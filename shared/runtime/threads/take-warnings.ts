/**
 * Gives the warnings of Node.js and of libraries on this thread to `take`, instead of printing them past all streams; none where they
 * are switched off (`--no-warnings`).
 */
export function takeWarnings(take: (warning: Error) => void): void {
  // Node's own listener, which prints, is there from the beginning.
  if (process.listenerCount('warning') === 0) return;
  process.removeAllListeners('warning');
  process.on('warning', take);
}
