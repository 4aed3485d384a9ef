import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { takeWarnings } from './take-warnings';

/** What a thread gets when it starts. */
export interface ThreadStart {
  /** One shared number: all calls with a number up to this one are cancelled. */
  readonly control: Int32Array;
  readonly data: unknown;
}

// Warnings go to the standard error stream that the parent gave to this thread.
if (!isMainThread) takeWarnings(({ name, message }) => process.stderr.write(`${name}: ${message}\n`));

export const endMessage = 'end';
/** The value of the control number that cancels every call and ends the thread. */
export const cancelAll = 2 ** 31 - 1;

/** Returns the data that the parent passed when it started this thread. */
export function threadData(): unknown {
  return (workerData as ThreadStart).data;
}

/**
 * Tells whether a call is cancelled. Long work asks this between two steps. The answer comes from shared
 * memory because a busy thread reads no messages.
 * @param callId the number of the call; absent: tells whether the thread is to end
 */
export function isCancelled(callId = cancelAll): boolean {
  return Atomics.load((workerData as ThreadStart).control, 0) >= callId;
}

/**
 * Handles messages of the parent until it asks the thread to end. The thread exits once the work that it
 * has begun is done.
 * @param handle its parameter has the type that the sender uses; nothing checks it
 * @param onEnd runs before the thread exits
 */
export function receive(
  handle: (request: never) => void,
  onEnd: () => void | Promise<void> = () => undefined,
): void {
  const port = parentPort!;
  port.on('message', (message: unknown) => {
    if (message !== endMessage) {
      handle(message as never);
      return;
    }
    void Promise.resolve(onEnd()).finally(() => {
      port.close();
    });
  });
}
