import { createNetwork } from '../network/create-network';
import { threadData } from '../../runtime/threads/thread-side';
import { loadEngine } from '../provide/load-engine';
import { turn, type MemberThreadStart } from './member-messages';
import { createScorer } from './scorer';

/** Judges by some of a version's networks whenever it is its turn, until it is over. */
async function main(): Promise<void> {
  const { choice, config, classes, members, control, features, logits, inputLength } =
    threadData() as MemberThreadStart;
  /** What is over stays so. */
  const give = (from: number, to: number): void => {
    Atomics.compareExchange(control, 0, from, to);
    Atomics.notify(control, 0);
  };
  try {
    const engine = await loadEngine(choice);
    const network = createNetwork(config, classes);
    const scorers = members.map((values) => createScorer(network, values, engine));
    give(turn.starting, turn.caller);
    for (;;) {
      Atomics.wait(control, 0, turn.caller);
      if (Atomics.load(control, 0) === turn.over) return;
      const inputs = control[1]!;
      scorers.forEach((scorer, member) => {
        const answer = scorer.logits(features.slice(0, inputs * inputLength), inputs);
        logits.set(answer, member * answer.length);
      });
      give(turn.thread, turn.caller);
    }
  } catch (error) {
    Atomics.store(control, 0, turn.failed);
    Atomics.notify(control, 0);
    throw error;
  }
}

void main();
