import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { threadData, isCancelled, receive } from '../../shared/runtime/threads/thread-side';

/**
 * What a test has the thread do: work piece by piece until it is called off, or read a file for as long
 * as nobody writes it.
 */
export type SlowWork = { readonly piece: number } | { readonly read: string };

receive((work: SlowWork) => {
  parentPort!.postMessage('begun');
  if ('read' in work) {
    readFileSync(work.read);
    return;
  }
  let steps = 0;
  while (!isCancelled(work.piece)) steps += 1;
  parentPort!.postMessage({ piece: work.piece, called: threadData(), steps });
});
