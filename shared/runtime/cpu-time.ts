import { readFileSync } from 'node:fs';

/** Of the clock in which Linux tells such times, for every architecture that Node runs on. */
const tickMs = 10;

/** CPU time that a thread of this process has used, in milliseconds; undefined where the system does not say. */
export function threadCpuMs(id: number): number | undefined {
  return cpuMsIn(`/proc/self/task/${id}/stat`);
}

/** As `threadCpuMs`, of all threads of a process. */
export function processCpuMs(pid: number): number | undefined {
  return cpuMsIn(`/proc/${pid}/stat`);
}

function cpuMsIn(file: string): number | undefined {
  try {
    const stat = readFileSync(file, 'utf8');
    // After the name in brackets, which may hold anything: field 3 is the state, 14 and 15 are user's and system's ticks.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    // It has ended, or this is not Linux.
    return undefined;
  }
}
