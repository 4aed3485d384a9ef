import { parentPort } from 'node:worker_threads';
import { lowerPriority } from '../runtime/lower-priority';
import { receive } from '../runtime/threads/thread-side';
import { designFilter } from './resample-filter';
import type { FilterRequest } from './filter-designer';

/** The thread on which resampling filters are designed, one at a time, behind all that answers somebody. */

if (parentPort === null) throw new Error('filter-worker is started by the filter designer');
const port = parentPort;
lowerPriority('answers');

receive(({ up, down }: FilterRequest) => {
  const filter = designFilter(up, down);
  port.postMessage(filter, [filter.rows.buffer as ArrayBuffer]);
});
