import { AppError } from '../errors/app-error';
import { measureVersion } from './measure-version';
import type { MeasureOrder, MeasureReply } from './measure-process';

/** The process that `measure-process` starts: measures what it is told to, answers, and is ended. */
async function answer({ candidate, current, how }: MeasureOrder): Promise<MeasureReply> {
  try {
    return { measured: await measureVersion(candidate, current, how) };
  } catch (caught) {
    const { code, message, details } = AppError.from(caught);
    return { code, message, details };
  }
}

process.once('message', (order: MeasureOrder) => {
  void answer(order).then((reply) => process.send!(reply));
});
// Nobody wants the answer any more.
process.once('disconnect', () => {
  process.kill(process.pid, 'SIGKILL');
});
