import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { loadKernels } from '../../shared/compute/kernels/kernels-addon';

/**
 * Ends threads that are in calls of the native kernels, for a process whose end tells whether that ends
 * it too. `node end-in-native.js ADDON THREADS`
 */
async function main(path: string, threads: number): Promise<void> {
  for (let index = 0; index < threads; index += 1) {
    const worker = new Worker(__filename, { workerData: path });
    await new Promise((resolve) => worker.once('message', resolve));
    // Thread after thread is caught at another moment.
    await new Promise((resolve) => setTimeout(resolve, index % 7));
    await worker.terminate();
  }
  process.stdout.write('alive\n');
}

/**
 * Small calls without a pause: most moments are within one, and many just before it makes what it gives
 * back.
 */
function work(path: string): void {
  const resampler = loadKernels(path).createResampler({
    instructionSet: 'baseline',
    up: 1,
    down: 1,
    taps: 16,
    rows: new Float32Array(16),
  });
  const samples = new Float32Array(64);
  parentPort!.postMessage('in');
  for (;;) resampler.compute(samples, 0, 0, 16);
}

if (isMainThread) void main(process.argv[2]!, Number(process.argv[3]));
else work(workerData as string);
