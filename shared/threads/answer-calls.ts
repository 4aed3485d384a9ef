import { parentPort } from 'node:worker_threads';
import { AppError } from '../errors/app-error';
import { toFailure, type FromThread, type ToThread } from './call-messages';
import { stepBack } from './step-back';

/**
 * The thread's end of `createThreadCalls`: answers each call, one after the other, and lets the thread end when no more come.
 *
 * @param answer is to ask `assertWanted` between two pieces of work: it throws AppError cancelled when the answer is not wanted
 *   any more
 */
export function answerCalls(answer: (call: never, assertWanted: () => void) => unknown): void {
  const port = parentPort!;
  stepBack('answers');
  const reply = async (call: unknown, unwanted: Int32Array): Promise<void> => {
    const assertWanted = (): void => {
      if (Atomics.load(unwanted, 0) !== 0)
        throw new AppError('cancelled', 'The answer is not wanted any more.');
    };
    let message: FromThread<unknown>;
    try {
      message = { kind: 'answer', answer: await answer(call as never, assertWanted) };
    } catch (caught) {
      message = { kind: 'failed', failure: toFailure(caught) };
    }
    port.postMessage(message);
  };
  port.on('message', (message: ToThread<unknown>) => {
    // Nothing is left to wait for then, and the thread ends by itself.
    if (message.kind === 'end') port.close();
    else void reply(message.call, message.unwanted);
  });
}
