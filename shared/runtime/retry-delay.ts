/** The first pause; it doubles after each failure, up to the longest. */
const firstMs = 1000;
const longestMs = 60_000;

/**
 * The pause after a failed attempt: exponential, and between half and all of it at random, so that many
 * senders do not come back to a receiver at once.
 * @param failures from 1
 * @param random uniform in [0, 1)
 * @returns milliseconds
 */
export function retryDelayMs(failures: number, random: number): number {
  const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 16));
  return fullMs * (0.5 + random / 2);
}
