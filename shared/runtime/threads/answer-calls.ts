import { parentPort } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { begun } from '../processes/background';
import { toFailure, type CallMessage, type FromThread } from './call-messages';
import { lowerPriority } from '../lower-priority';
import { isCalledOff, receive } from './thread-side';

/**
 * The thread's end of `createThreadCalls`: answers each call, one after the other.
 *
 * @param answer is to ask `assertWanted` between two steps of its work: it throws AppError cancelled when the answer is not wanted
 *   any more
 */
export function answerCalls(answer: (call: never, assertWanted: () => void) => unknown): void {
  lowerPriority('answers');
  const reply = async ({ call, piece }: CallMessage<unknown>): Promise<void> => {
    const assertWanted = (): void => {
      if (isCalledOff(piece)) throw new AppError('cancelled', 'The answer is not wanted any more.');
    };
    const say = (message: FromThread<unknown>): void => {
      parentPort!.postMessage(message);
    };
    try {
      say({ kind: 'answer', answer: await answer(call as never, assertWanted) });
    } catch (caught) {
      // What cannot be cloned is an error, too.
      say({ kind: 'failed', failure: toFailure(caught) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  receive(
    (message: CallMessage<unknown>) => {
      last = begun(reply(message));
    },
    () => last,
  );
}
