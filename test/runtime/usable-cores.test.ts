import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { usableCores } from '../../shared/runtime/usable-cores';

/** A machine whose /proc and /sys hold these files. */
function coresOn(files: Readonly<Record<string, string>>): number {
  const root = mkdtempSync(join(tmpdir(), 'earshot-cores-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), content);
    }
    return usableCores(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const all = availableParallelism();
const second = { 'proc/self/cgroup': '0::/pod/box\n' };

describe('the cores that a process may use', () => {
  it('are all it may run on where no control group says otherwise', () => {
    expect(coresOn({})).toBe(all);
    expect(coresOn({ ...second, 'sys/fs/cgroup/pod/box/cpu.max': 'max 100000\n' })).toBe(all);
    expect(coresOn({ ...second, 'sys/fs/cgroup/pod/box/cpu.max': '6400000 100000\n' })).toBe(all);
  });

  it.each([
    ['its own', { 'sys/fs/cgroup/pod/box/cpu.max': '100000 100000\n' }],
    ['less than one', { 'sys/fs/cgroup/pod/box/cpu.max': '20000 100000\n' }],
    [
      'of a group above',
      { 'sys/fs/cgroup/pod/box/cpu.max': 'max 100000', 'sys/fs/cgroup/pod/cpu.max': '50000 50000\n' },
    ],
    ['of the root, as a container sees its own', { 'sys/fs/cgroup/cpu.max': '100000 100000\n' }],
  ])('are as many as its quota allows: %s', (_, files) => {
    expect(coresOn({ ...second, ...files })).toBe(1);
  });

  it('are as many as its quota allows in control groups of version 1', () => {
    const group = { 'proc/self/cgroup': '5:memory:/box\n4:cpu,cpuacct:/box\n' };
    const folder = 'sys/fs/cgroup/cpu,cpuacct/box';
    const period = { [`${folder}/cpu.cfs_period_us`]: '100000\n' };
    expect(coresOn({ ...group, ...period, [`${folder}/cpu.cfs_quota_us`]: '-1\n' })).toBe(all);
    expect(coresOn({ ...group, ...period, [`${folder}/cpu.cfs_quota_us`]: '90000\n' })).toBe(1);
  });
});
