import { endThreads } from './thread';

/**
 * Ends all threads and then the process with this exit code. `process.exit` alone would end the threads
 * by force, which is not safe in native code, and waits for ever for a thread that hangs there. Where a
 * thread hangs, `leave` ends the process; where `leave` cannot, SIGKILL does.
 * @param leave ends the process at once whatever its threads do; returns where it cannot
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
