import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createScratchFolder, sweepScratchFolders } from '../../shared/runtime/scratch-folder';

const program = `
  const { createScratchFolder } = require(${JSON.stringify(join(__dirname, '../../shared/runtime/scratch-folder.js'))});
  createScratchFolder(process.argv[1]).then((folder) => { console.log(folder); setInterval(() => undefined, 1000); });
`;

/** A process that made a folder and has not taken it away yet. */
async function startOwner(prefix: string): Promise<{ folder: string; kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', program, prefix], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const closed = once(child, 'close');
  return {
    folder: String(line).trim(),
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

it('takes away what killed processes left, and nothing else', async () => {
  const root = await mkdtemp(join(tmpdir(), 'earshot-scratch-'));
  const prefix = join(root, 'work-');
  const [alive, dead] = [await startOwner(prefix), await startOwner(prefix)];
  try {
    await writeFile(join(dead.folder, 'recording'), 'sound');
    await dead.kill();
    const own = await createScratchFolder(prefix);
    const names = {
      here: 'work-elsewhere-7-abcdef',
      gone: 'work-elsewhere-7-ghijkl',
      nobodys: 'work-abcdef',
    };
    for (const name of Object.values(names)) await mkdir(join(root, name));
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(join(root, names.gone), longAgo, longAgo);
    await utimes(join(root, names.nobodys), longAgo, longAgo);
    await writeFile(join(root, 'other'), '');

    await sweepScratchFolders(prefix);
    expect((await readdir(root)).sort()).toEqual(
      [basename(alive.folder), basename(own), names.here, 'other'].sort(),
    );
  } finally {
    await alive.kill();
    await rm(root, { recursive: true });
  }
});

it('is content where there is no such folder', async () => {
  await expect(sweepScratchFolders('/nowhere/at-all-')).resolves.toBeUndefined();
});
