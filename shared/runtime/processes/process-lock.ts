import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../errors/app-error';
import { ifAbsent } from '../../errors/machine-fault';
import { createFileAtomically } from '../write-atomically';

/**
 * Identifies a process by its id and its start time, because ids are reused. The start time is in clock
 * ticks since boot, which does not depend on the wall clock.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * @returns undefined where the process has ended, or only its zombie is left
 * @throws the file system's error where this cannot be determined
 */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((caught: unknown) => {
    // ESRCH: the process ends while its file is read.
    return (caught as NodeJS.ErrnoException).code === 'ESRCH' ? '' : ifAbsent('')(caught);
  });
  if (stat === '') return undefined;
  // The fields after the process name: 3 is the state, 22 the start time. The name stands in brackets
  // and may contain any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTicks: fields[19]! };
}

/**
 * Returns the process that `file` names, if it still runs.
 * @throws the file system's error where this cannot be determined
 */
export async function livingProcess(file: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(file, 'utf8').catch(ifAbsent(''));
  const [pid, startTicks] = text.trim().split(' ');
  const living = await identifyProcess(Number(pid));
  return living?.startTicks === startTicks ? living : undefined;
}

export async function writeProcess(file: string, pid: number): Promise<void> {
  const identity = await identifyProcess(pid);
  if (identity !== undefined) await writeFile(file, `${identity.pid} ${identity.startTicks}\n`);
}

/**
 * Locks a folder for this process until it ends.
 * @param setting the variable that names the folder
 * @returns a function that releases the lock
 * @throws AppError conflict when another running process holds it
 */
export async function lockForProcess(file: string, setting: string): Promise<() => Promise<void>> {
  await mkdir(dirname(file), { recursive: true });
  const mine = await identifyProcess(process.pid);
  for (;;) {
    try {
      await createFileAtomically(file, `${process.pid} ${mine?.startTicks ?? ''}\n`);
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await livingProcess(file);
    if (owner !== undefined) {
      throw new AppError(
        'conflict',
        `Process ${owner.pid} has ${dirname(file)}: stop it, or set ${setting} to another folder.`,
      );
    }
    await rm(file, { force: true });
  }
}
