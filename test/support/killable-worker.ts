import { parentPort } from 'node:worker_threads';
import { scoresOf } from './fake-inference';

/**
 * A thread that answers batches as the fake engine does, and dies when a window starts with the number
 * −1.
 */
parentPort!.on('message', (windows: Float32Array[]) => {
  if (windows.some((window) => window[0] === -1)) process.exit(3);
  parentPort!.postMessage(windows.map((window) => scoresOf(window[0]!)));
});
