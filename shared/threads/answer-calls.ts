import { parentPort } from 'node:worker_threads';
import { AppError } from '../errors/app-error';
import { toFailure, type CallMessage, type FromThread } from './call-messages';
import { stepBack } from './step-back';
import { isCalledOff, receive } from './thread-side';

/**
 * The thread's end of `createThreadCalls`: answers each call, one after the other.
 *
 * @param answer is to ask `assertWanted` between two steps of its work: it throws AppError cancelled when the answer is not wanted
 *   any more
 */
export function answerCalls(answer: (call: never, assertWanted: () => void) => unknown): void {
  stepBack('answers');
  const reply = async ({ call, piece }: CallMessage<unknown>): Promise<void> => {
    const assertWanted = (): void => {
      if (isCalledOff(piece)) throw new AppError('cancelled', 'The answer is not wanted any more.');
    };
    let message: FromThread<unknown>;
    try {
      message = { kind: 'answer', answer: await answer(call as never, assertWanted) };
    } catch (caught) {
      message = { kind: 'failed', failure: toFailure(caught) };
    }
    parentPort!.postMessage(message);
  };
  let last: Promise<void> = Promise.resolve();
  receive(
    (message: CallMessage<unknown>) => {
      last = reply(message);
    },
    () => last,
  );
}
