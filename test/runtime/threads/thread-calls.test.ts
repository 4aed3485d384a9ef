import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../../shared/errors/app-error';
import { threadsSetAside } from '../../../shared/runtime/threads/thread';
import { createThreadCalls, type ThreadCalls } from '../../../shared/runtime/threads/thread-calls';
import type { DatasetAnswer, DatasetCall } from '../../../services/classifier/datasets/dataset-worker';

const file = require.resolve('../../../services/classifier/datasets/dataset-worker');
let folder: string;
let calls: ThreadCalls<DatasetCall, DatasetAnswer>;

const create = (more: { readonly heapMb?: number; readonly idleMs?: number } = {}): typeof calls =>
  createThreadCalls({
    file,
    resourceLimits: { maxOldGenerationSizeMb: more.heapMb ?? 256 },
    ...(more.idleMs === undefined ? {} : { idleMs: more.idleMs }),
  });
const small = (): DatasetCall => ({ kind: 'describe', folder: join(folder, 'nothing') });
const large = (): DatasetCall => ({ kind: 'describe', folder });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-calls-'));
  // A second's work, and 20 MB of memory.
  const lines = Array.from({ length: 99_000 }, (_, k) => `"a name that is long enough ${k}.wav",b`);
  await writeFile(join(folder, 'list.csv'), ['filename,category', ...lines].join('\n'));
});
afterEach(async () => {
  await calls.close();
  await rm(folder, { recursive: true });
});

it('answers in order, and tells errors with their codes', async () => {
  calls = create();
  const order: string[] = [];
  const answers = [large(), small()].map(async (call, at) => {
    const answer = (await calls.call(call)) as { readonly clips: number };
    order.push(`${at}: ${answer.clips}`);
  });
  await Promise.all(answers);
  expect(order).toEqual(['0: 99000', '1: 0']);
  await expect(calls.call({ kind: 'list', folder: join(folder, 'nothing') })).rejects.toMatchObject({
    code: 'invalid-dataset',
    details: { problems: ['the folder cannot be read (ENOENT)'] },
  });
  const order2 = { zipFile: join(folder, 'none.zip'), folder, maxBytes: 1, maxFiles: 1 };
  await expect(calls.call({ kind: 'unpack', ...order2 })).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'open',
  });
});

it('calls off what is waiting at once, and what is worked on between two steps', async () => {
  calls = create();
  const [first, second] = [new AbortController(), new AbortController()];
  const working = calls.call(large(), first.signal);
  const waiting = calls.call(large(), second.signal);
  const last = calls.call(small());
  second.abort(new AppError('draining', 'Enough.'));
  await expect(waiting).rejects.toMatchObject({ code: 'draining', message: 'Enough.' });
  first.abort();
  await expect(working).rejects.toMatchObject({ code: 'cancelled' });
  await expect(last).resolves.toMatchObject({ clips: 0 });
  await expect(calls.call(small(), AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
});

it('lets an idle thread end, and starts another', async () => {
  calls = create({ idleMs: 0 });
  for (let turn = 0; turn < 3; turn++) {
    expect(await calls.call(small())).toMatchObject({ clips: 0 });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

it('calls off what it works on when it is closed, and takes nothing any more', async () => {
  calls = create();
  const working = calls.call(large());
  const waiting = calls.call(large());
  const ended = Promise.allSettled([working, waiting]);
  await calls.close();
  for (const { status, ...rest } of await ended) {
    expect([status, rest]).toEqual(['rejected', { reason: expect.objectContaining({ code: 'draining' }) }]);
  }
  await expect(calls.call(small())).rejects.toMatchObject({ code: 'draining' });
  expect(threadsSetAside()).toBe(0);
});

it('survives a thread that runs out of memory', async () => {
  calls = create({ heapMb: 10 });
  await expect(calls.call(large())).rejects.toMatchObject({ code: 'internal' });
  expect(await calls.call(small())).toMatchObject({ clips: 0 });
});
