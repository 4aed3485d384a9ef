import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { isShortage } from '../errors/machine-fault';

/**
 * Cores that this process may use: those that it may run on, or as many as its control group may use at a time, which Node does not
 * know. More threads than that would wait for one another.
 * @param root where /proc and /sys are
 */
export function usableCores(root = '/'): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaOf(root))));
}

/** The smallest quota of the process's group and those above it, in cores; Infinity where there is none. */
function quotaOf(root: string): number {
  const groups = read(join(root, 'proc/self/cgroup'))
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, controllers, path]) => ({ controllers: controllers!.split(','), path: path! }));
  const quotas = groups.flatMap(({ controllers, path }) => {
    if (controllers.includes('cpu')) return upwards(path).map((group) => quotaOfFirst(root, group));
    return controllers[0] === '' ? upwards(path).map((group) => quotaOfSecond(root, group)) : [];
  });
  return Math.min(Infinity, ...quotas);
}

/** A group, and all above it. */
function upwards(path: string): string[] {
  return path === '/' || path === '.' ? ['/'] : [path, ...upwards(dirname(path))];
}

/** Of a group of version 2: `cpu.max` is the quota, or `max`, and its period. */
function quotaOfSecond(root: string, group: string): number {
  const [quota, period] = read(join(root, 'sys/fs/cgroup', group, 'cpu.max'))
    .trim()
    .split(' ');
  return coresOf(quota, period);
}

/** Of a group of version 1: no quota is -1. */
function quotaOfFirst(root: string, group: string): number {
  const folders = ['cpu', 'cpu,cpuacct'].map((name) => join(root, 'sys/fs/cgroup', name, group));
  const cores = folders.map((folder) =>
    coresOf(read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us'))),
  );
  return Math.min(...cores);
}

function coresOf(quota: string | undefined, period: string | undefined): number {
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : Infinity;
}

/** Empty where there is no such file: not on Linux, or hidden by a sandbox. @throws the system's error where it has too little to look */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (caught) {
    if (isShortage(caught)) throw caught;
    return '';
  }
}
