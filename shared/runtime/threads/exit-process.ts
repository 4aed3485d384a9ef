import { endThreads } from './thread';

/**
 * Ends the process with this code, its threads first: `process.exit` ends them by force, which is not safe while they are in native
 * code, and waits for ever for one that hangs there. Where one hangs and `leave` cannot end the process, SIGKILL does.
 * @param leave ends the process at once, whatever its threads do; returns where it cannot
 */
export async function exitProcess(
  code: number,
  timeoutMs: number,
  leave: (code: number) => void,
): Promise<never> {
  const ended = await endThreads(timeoutMs);
  if (!ended) {
    leave(code);
    process.kill(process.pid, 'SIGKILL');
  }
  process.exit(code);
}
