import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  assertThreadsAvailable,
  endThreads,
  Thread,
  threadsSetAside,
} from '../../../shared/runtime/threads/thread';
import type { SlowWork } from '../../support/slow-thread';

const file = join(__dirname, '../../support/slow-thread.js');

function start(): { thread: Thread; begin: (work: SlowWork) => Promise<void> } {
  const thread = new Thread(file, 'so');
  return {
    thread,
    begin: async (work) => {
      thread.worker.postMessage(work);
      await once(thread.worker, 'message');
    },
  };
}

describe('a thread that is asked', () => {
  it('stops a piece of work that is called off in the middle of it, and works on', async () => {
    const { thread, begin } = start();
    for (const piece of [1, 2]) {
      await begin({ piece });
      const stopped = once(thread.worker, 'message');
      thread.cancelUpTo(piece);
      expect(await stopped).toEqual([{ piece, called: 'so', steps: expect.any(Number) }]);
    }
    expect(await thread.end()).toBe(true);
  });

  it('ends in the middle of its work, and again when it has ended', async () => {
    const { thread, begin } = start();
    await begin({ piece: 1 });
    expect(await thread.end()).toBe(true);
    await thread.exited;
    expect(await thread.end()).toBe(true);
    expect(threadsSetAside()).toBe(0);
  });

  it('is set aside while it hangs, and gone when it comes back; of so many no more are started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-threads-'));
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const hanging = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const { thread, begin } = start();
        await begin({ read: pipe });
        return thread;
      }),
    );
    const other = start();
    await other.begin({ piece: 1 });
    expect(await hanging[0]!.end(10)).toBe(false);
    expect(threadsSetAside()).toBe(1);
    expect(assertThreadsAvailable).not.toThrow();
    // All threads of the process, those that do not hang too.
    expect(await endThreads(2_000)).toBe(false);
    await other.thread.exited;
    expect(threadsSetAside()).toBe(4);
    expect(assertThreadsAvailable).toThrow('4 threads hang');
    const writer = await open(pipe, 'w');
    await writer.close();
    await Promise.all(hanging.map(({ exited }) => exited));
    expect(threadsSetAside()).toBe(0);
    expect(assertThreadsAvailable).not.toThrow();
    await rm(folder, { recursive: true });
  });
});
