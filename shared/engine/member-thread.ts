import { workerData } from 'node:worker_threads';
import { createNetwork } from '../network/create-network';
import { loadEngine } from './load-engine';
import { turn, type MemberThreadStart } from './member-messages';
import { createScorer } from './scorer';

/** Judges by some of a version's networks whenever it is its turn, until it is over. */
async function main(): Promise<void> {
  const { choice, config, classes, members, control, features, logits, inputLength } =
    workerData as MemberThreadStart;
  const give = (next: number): void => {
    Atomics.store(control, 0, next);
    Atomics.notify(control, 0);
  };
  try {
    const engine = await loadEngine(choice);
    const network = createNetwork(config, classes);
    const scorers = members.map((values) => createScorer(network, values, engine));
    give(turn.caller);
    for (;;) {
      Atomics.wait(control, 0, turn.caller);
      if (Atomics.load(control, 0) === turn.over) return;
      const inputs = control[1]!;
      scorers.forEach((scorer, member) => {
        const given = features.slice(0, inputs * inputLength);
        const answer = scorer.logits(given, inputs);
        logits.set(answer, member * answer.length);
      });
      give(turn.caller);
    }
  } catch (error) {
    give(turn.failed);
    // Ends the thread that started this one too: a new one may do better.
    throw error;
  }
}

void main();
