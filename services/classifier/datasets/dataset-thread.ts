import { join } from 'node:path';
import { createThreadCalls } from '../../../shared/runtime/threads/thread-calls';
import type { DatasetAnswer, DatasetCall } from './dataset-worker';
import type { ClipList, DatasetReading } from './describe-dataset';
import type { UnpackRequest, Unpacked } from './unpack-archive';

/**
 * Runs on a thread what takes time in proportion to a dataset's size. The methods reject with what
 * describeDataset, listClips and unpackArchive throw.
 */
export interface DatasetThread {
  describe(folder: string, signal?: AbortSignal): Promise<DatasetReading>;
  list(folder: string, signal?: AbortSignal): Promise<ClipList>;
  unpack(request: UnpackRequest, signal: AbortSignal): Promise<Unpacked>;
  close(): Promise<void>;
}

/** Measured: a CSV of 32 MiB with 100,000 lines and the names of 200,000 files take 150 MB. */
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
    unpack: (request, signal) => ask({ kind: 'unpack', ...request }, signal),
    close: () => thread.close(),
  };
}
