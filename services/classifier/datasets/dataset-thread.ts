import { join } from 'node:path';
import { createThreadCalls } from '../../../shared/runtime/threads/thread-calls';
import type { DatasetAnswer, DatasetCall } from './dataset-worker';
import type { ClipList, DatasetReading } from './describe-dataset';
import type { UnpackOrder, Unpacked } from './unpack-archive';

/** What takes time in proportion to a dataset, done on a thread; rejects as the functions of the same names throw. */
export interface DatasetThread {
  describe(folder: string, signal?: AbortSignal): Promise<DatasetReading>;
  list(folder: string, signal?: AbortSignal): Promise<ClipList>;
  unpack(order: UnpackOrder, signal: AbortSignal): Promise<Unpacked>;
  close(): Promise<void>;
}

/** 100,000 lines of a CSV of 32 MiB and the names of 200,000 files take 150 MB. */
const resourceLimits = { maxOldGenerationSizeMb: 384, maxYoungGenerationSizeMb: 32 };

export function createDatasetThread(): DatasetThread {
  const thread = createThreadCalls<DatasetCall, DatasetAnswer>({
    file: join(__dirname, 'dataset-worker.js'),
    resourceLimits,
  });
  const ask = async <T extends DatasetAnswer>(call: DatasetCall, signal?: AbortSignal): Promise<T> =>
    (await thread.call(call, signal)) as T;
  return {
    describe: (folder, signal) => ask({ kind: 'describe', folder }, signal),
    list: (folder, signal) => ask({ kind: 'list', folder }, signal),
    unpack: (order, signal) => ask({ kind: 'unpack', ...order }, signal),
    close: () => thread.close(),
  };
}
