import { randomUUID } from 'node:crypto';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../errors/app-error';
import { isAbsent } from '../../errors/machine-fault';

/**
 * So often who has a lock says that it still lives; one that has said nothing for so long is gone, or as
 * good as.
 */
const times = { beatMs: 2_000, deadMs: 20_000, lookMs: 200 };

interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once, if somebody else has it. */
  readonly onWait: () => void;
}

/**
 * Takes a lock that is a file, so that processes in several containers with one cache heed it: process
 * ids mean nothing there. A machine so busy that the owner is taken for dead makes two owners: what they
 * make must bear that.
 * @returns gives it back
 * @throws AppError cancelled; the file system's error
 */
export async function takeBuildLock(
  file: string,
  { signal, onWait }: LockOptions,
): Promise<() => Promise<void>> {
  const token = randomUUID();
  let hasWaited = false;
  while (!(await create(file, token))) {
    if (!hasWaited) onWait();
    hasWaited = true;
    if (await isDead(file)) await rm(file, { force: true });
    else await delay(times.lookMs);
    if (signal?.aborted === true) throw new AppError('cancelled', 'Called off: to wait for another build.');
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, times.beatMs).unref();
  return async () => {
    clearInterval(beat);
    // Another's by now, if this one was taken for dead.
    if ((await readFile(file, 'utf8').catch(() => '')) === token) await rm(file, { force: true });
  };
}

async function create(file: string, token: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(token).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isDead(file: string): Promise<boolean> {
  try {
    return (await stat(file)).mtimeMs < Date.now() - times.deadMs;
  } catch (caught) {
    if (isAbsent(caught)) return false;
    throw caught;
  }
}
