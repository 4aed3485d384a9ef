import { parentPort } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { startInBackground } from '../processes/start-in-background';
import { toFailure, type CallMessage, type FromThread } from './call-messages';
import { lowerPriority } from '../lower-priority';
import { isCancelled, receive } from './thread-side';

/**
 * Runs on the thread and answers the calls of `createThreadCalls`, one after the other.
 * @param answer computes the answer to a call. It calls `assertWanted` between two steps of long work,
 * which throws AppError cancelled once the caller has cancelled
 */
export function answerCalls(answer: (call: never, assertWanted: () => void) => unknown): void {
  lowerPriority('answers');
  const reply = async ({ call, callId }: CallMessage<unknown>): Promise<void> => {
    const assertWanted = (): void => {
      if (isCancelled(callId)) throw new AppError('cancelled', 'The answer is not wanted any more.');
    };
    const send = (message: FromThread<unknown>): void => {
      parentPort!.postMessage(message);
    };
    try {
      send({ kind: 'answer', answer: await answer(call as never, assertWanted) });
    } catch (caught) {
      // A result that cannot be cloned also counts as a failure.
      send({ kind: 'failed', failure: toFailure(caught) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  receive(
    (message: CallMessage<unknown>) => {
      last = startInBackground(reply(message));
    },
    () => last,
  );
}
