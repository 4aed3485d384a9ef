import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { takeWarnings } from './take-warnings';

/** What a thread is started with. */
export interface ThreadStart {
  /** One number: pieces of work up to it are called off. */
  readonly control: Int32Array;
  readonly given: unknown;
}

// To the stream that whoever started this thread has.
if (!isMainThread) takeWarnings(({ name, message }) => process.stderr.write(`${name}: ${message}\n`));

export const endMessage = 'end';
/** Every piece of work, and the thread itself. */
export const callOffAll = 2 ** 31 - 1;

/** What the calling thread was given by who started it. */
export function given(): unknown {
  return (workerData as ThreadStart).given;
}

/**
 * Whether a piece of work is called off; asked between two steps of it, so that it stops however busy the thread is: a message would
 * wait until all of it is done.
 * @param piece its number; without one, whether the thread is to end
 */
export function isCalledOff(piece = callOffAll): boolean {
  return Atomics.load((workerData as ThreadStart).control, 0) >= piece;
}

/**
 * Takes the messages of who started this thread until it is asked to end. The thread is gone when what it began is done.
 * @param handle typed as what is sent, which nobody checks
 * @param onEnd what must end before it does
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
