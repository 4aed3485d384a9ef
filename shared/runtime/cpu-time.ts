import { readFileSync } from 'node:fs';

/**
 * Length of a clock tick in /proc. Linux has 100 ticks per second on every architecture that Node
 * supports.
 */
const tickMs = 10;

/**
 * Returns the CPU time that a thread of this process has used, in milliseconds.
 * @returns undefined where the system does not say
 */
export function threadCpuMs(id: number): number | undefined {
  return cpuMsIn(`/proc/self/task/${id}/stat`);
}

/**
 * Returns the CPU time of all threads of a process, in milliseconds; undefined where the system does not
 * say.
 */
export function processCpuMs(pid: number): number | undefined {
  return cpuMsIn(`/proc/${pid}/stat`);
}

function cpuMsIn(file: string): number | undefined {
  try {
    const stat = readFileSync(file, 'utf8');
    // The fields after the process name: 3 is the state, 14 and 15 are user and system ticks. The name
    // stands in brackets and may contain any character.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    // The thread has ended, or this is not Linux.
    return undefined;
  }
}
