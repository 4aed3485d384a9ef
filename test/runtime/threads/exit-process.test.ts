import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provideTestKernels } from '../../support/test-engine';

const compiled = (path: string): string => JSON.stringify(join(__dirname, '../../..', path));

/**
 * Ends with 7 while a thread does what it is told: `process.argv` is the kernels' path, or nothing, and
 * the work.
 */
const program = `
  const { Thread } = require(${compiled('shared/runtime/threads/thread.js')});
  const { exitProcess } = require(${compiled('shared/runtime/threads/exit-process.js')});
  const { leaveProcess, loadKernels } = require(${compiled('shared/compute/kernels/kernels-addon.js')});
  const [addon, work] = process.argv.slice(1);
  if (addon !== '') loadKernels(addon);
  const { worker } = new Thread(${compiled('test/support/slow-thread.js')}, 'so');
  worker.once('message', () => exitProcess(7, 200, leaveProcess));
  worker.postMessage(JSON.parse(work));
`;

let folder: string;
let pipe: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-exit-'));
  pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
});
afterAll(() => rm(folder, { recursive: true }));

/** @returns exit code, signal and what it said */
async function endOf(addon: string, work: object): Promise<unknown[]> {
  const child = spawn(process.execPath, ['-e', program, addon, JSON.stringify(work)]);
  let said = '';
  child.stderr.on('data', (text: Buffer) => (said += String(text)));
  return [...((await once(child, 'close')) as unknown[]), said];
}

describe('the end of a process', () => {
  it('waits for its threads', async () => {
    expect(await endOf('', { piece: 1 })).toEqual([7, null, '']);
  });

  it('does not wait for one that hangs', async () => {
    expect(await endOf(await provideTestKernels(), { read: pipe })).toEqual([7, null, '']);
    expect(await endOf('', { read: pipe })).toEqual([null, 'SIGKILL', '']);
  });
});
