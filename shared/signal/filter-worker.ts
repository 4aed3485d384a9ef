import { parentPort } from 'node:worker_threads';
import { lowerPriority } from '../runtime/lower-priority';
import { receive } from '../runtime/threads/thread-side';
import { designFilter } from './resample-filter';
import type { FilterRequest } from './filter-designer';

/**
 * The thread that designs resampling filters, one at a time, at a lower priority than threads that
 * answer requests.
 */

if (parentPort === null) throw new Error('filter-worker is started by the filter designer');
const port = parentPort;
lowerPriority('answers');

receive(({ up, down }: FilterRequest) => {
  const filter = designFilter(up, down);
  port.postMessage(filter, [filter.rows.buffer as ArrayBuffer]);
});
