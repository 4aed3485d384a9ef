import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** A control group whose processes together may hold so much memory and no more. */
export interface MemoryGroup {
  /** A command that moves itself into the group and becomes what its arguments say. */
  readonly under: readonly string[];
  /** How many processes were ended for want of memory. */
  readonly killed: number;
  /** The most that was held at a time, in bytes, files that were read included. */
  readonly peakBytes: number;
  /** Waits for the end of its processes: those that the killed one started end by themselves. */
  remove(): Promise<void>;
}

interface Files {
  readonly root: string;
  /** A file of the root that shows that it is one. */
  readonly sign: string;
  readonly limit: string;
  readonly peak: string;
  /** The file that counts processes which were ended, in a line `oom_kill N`. */
  readonly events: string;
}

const versions: readonly Files[] = [
  {
    root: '/sys/fs/cgroup',
    sign: 'cgroup.controllers',
    limit: 'memory.max',
    peak: 'memory.peak',
    events: 'memory.events',
  },
  {
    root: '/sys/fs/cgroup/memory',
    sign: 'memory.limit_in_bytes',
    limit: 'memory.limit_in_bytes',
    peak: 'memory.max_usage_in_bytes',
    events: 'memory.oom_control',
  },
];

/** @returns undefined where this user can make none, as in most containers and without root */
export function createMemoryGroup(limitBytes: number): MemoryGroup | undefined {
  for (const files of versions) {
    if (!existsSync(join(files.root, files.sign))) continue;
    const folder = join(files.root, `earshot-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(folder, files.limit), String(limitBytes));
      if (existsSync(join(folder, files.events))) return groupOf(folder, files);
    } catch {
      // Groups without a memory controller, as in a hybrid hierarchy, or one that may not be written.
    }
    rmdirSync(folder);
  }
  return undefined;
}

function groupOf(folder: string, { peak, events }: Files): MemoryGroup {
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return {
    under: ['sh', '-c', `echo $$ > '${folder}/cgroup.procs' && exec "$@"`, 'sh'],
    get killed() {
      return Number(/^oom_kill (\d+)$/m.exec(read(events))?.[1] ?? NaN);
    },
    get peakBytes() {
      return Number(read(peak));
    },
    async remove() {
      for (;;) {
        try {
          rmdirSync(folder);
          return;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
          await setTimeout(20);
        }
      }
    },
  };
}
