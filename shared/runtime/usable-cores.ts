import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { isShortage } from '../errors/machine-fault';

/**
 * Returns how many cores this process may use: the smaller of its CPU affinity and the CPU quota of its
 * control group, which Node does not know. More threads than that would wait for one another.
 * @param root the folder that contains /proc and /sys
 * @returns a whole number, at least 1
 */
export function usableCores(root = '/'): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quotaOf(root))));
}

/**
 * Returns the smallest CPU quota of the process's control group and its ancestors, in cores; Infinity
 * without a quota.
 */
function quotaOf(root: string): number {
  const groups = read(join(root, 'proc/self/cgroup'))
    .split('\n')
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, controllers, path]) => ({ controllers: controllers!.split(','), path: path! }));
  const quotas = groups.flatMap(({ controllers, path }) => {
    if (controllers.includes('cpu')) return withAncestors(path).map((group) => quotaOfVersion1(root, group));
    return controllers[0] === '' ? withAncestors(path).map((group) => quotaOfVersion2(root, group)) : [];
  });
  return Math.min(Infinity, ...quotas);
}

/** Returns the paths of a control group and of its ancestors. */
function withAncestors(path: string): string[] {
  return path === '/' || path === '.' ? ['/'] : [path, ...withAncestors(dirname(path))];
}

/**
 * Reads the quota of a cgroup v2: `cpu.max` holds the quota (or `max`) and its period, in microseconds.
 */
function quotaOfVersion2(root: string, group: string): number {
  const [quota, period] = read(join(root, 'sys/fs/cgroup', group, 'cpu.max'))
    .trim()
    .split(' ');
  return coresOf(quota, period);
}

/** Reads the quota of a cgroup v1, where −1 means no quota. */
function quotaOfVersion1(root: string, group: string): number {
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

/**
 * Returns '' where the file is missing, as on other systems than Linux, or hidden by a sandbox.
 * @throws the system's error where it lacks a resource to read the file
 */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (caught) {
    if (isShortage(caught)) throw caught;
    return '';
  }
}
