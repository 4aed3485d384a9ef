import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../errors/app-error';
import { ifAbsent } from '../errors/machine-fault';
import { createFileAtomically } from '../runtime/write-atomically';

/** A process, told apart from a later one with the same number by the moment it started (clock ticks since boot: no clock's time). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * Undefined: there is no such process, or only what is left of it (a zombie).
 * @throws the file system's error where that cannot be told
 */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((caught: unknown) => {
    // ESRCH: it ends while it is looked at.
    return (caught as NodeJS.ErrnoException).code === 'ESRCH' ? '' : ifAbsent('')(caught);
  });
  if (stat === '') return undefined;
  // After the name in brackets, which may hold anything: field 3 is the state, field 22 the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTicks: fields[19]! };
}

/** The process that `file` names, if it still runs. @throws the file system's error where that cannot be told */
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
 * Takes a folder for this process until the process ends, however it ends.
 * @returns gives it back
 * @throws AppError conflict when another living process has it
 */
export async function lockForProcess(file: string): Promise<() => Promise<void>> {
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
        `Process ${owner.pid} has ${dirname(file)}: stop it, or set JOBS_DIR to another folder.`,
      );
    }
    await rm(file, { force: true });
  }
}
