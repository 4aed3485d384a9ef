import { writeFileSync } from 'node:fs';
import { AppError } from '../errors/app-error';
import { lowerPriority } from '../runtime/lower-priority';
import { measureVersion } from './measure-version';
import type { MeasureOrder, MeasureReply } from './measure-process';

/** The process that `measure-process` starts. It measures one order, replies, and is ended. */
async function answer({ candidate, current, how }: MeasureOrder): Promise<MeasureReply> {
  if (how.isExpendable === true) giveWay();
  try {
    return { measured: await measureVersion(candidate, current, how) };
  } catch (caught) {
    const { code, message, details } = AppError.from(caught);
    return { code, message, details };
  }
}

/** To the service, in CPU time and where memory is short. */
function giveWay(): void {
  lowerPriority('others');
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Another system, or one that refuses it.
  }
}

process.once('message', (order: MeasureOrder) => {
  void answer(order).then((reply) => process.send!(reply));
});
// The parent is gone, so the reply is not needed.
process.once('disconnect', () => {
  process.kill(process.pid, 'SIGKILL');
});
