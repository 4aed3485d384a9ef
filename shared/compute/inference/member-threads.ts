import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import type { Network } from '../network/network';
import type { WeightValues } from '../../registry/weights-file';
import { Thread } from '../../runtime/threads/thread';
import type { EngineChoice } from '../provide/choose-engine';
import { turn, type MemberThreadStart } from './member-messages';
import type { Scorer } from './scorer';

/** Inputs that a thread takes at once: the memory that both see is made for as many. */
const mostInputs = 24;
/** A call that takes longer never ends. */
const timeoutMs = 60_000;

/** Networks that a thread of its own computes while the caller computes others. */
export interface MemberThread {
  /** @param inputs at most `mostInputs` */
  begin(features: Float32Array, inputs: number): void;
  /** @returns each member's logits [inputs, outputs]. @throws AppError engine-unavailable */
  end(): Float32Array[];
  close(): void;
}

/** All members' logits: the caller computes its own while the threads compute theirs. */
export function createThreadedScorers(
  own: readonly Scorer[],
  threads: readonly MemberThread[],
  { inputLength, outputs }: { readonly inputLength: number; readonly outputs: number },
): (features: Float32Array, inputs: number) => Float32Array[] {
  const some = (features: Float32Array, inputs: number): Float32Array[] => {
    for (const thread of threads) thread.begin(features, inputs);
    const mine = own.map((scorer) => scorer.logits(features, inputs));
    return [...mine, ...threads.flatMap((thread) => thread.end())];
  };
  return (features, inputs) => {
    if (inputs <= mostInputs) return some(features, inputs);
    const members: Float32Array[] = [];
    for (let first = 0; first < inputs; first += mostInputs) {
      const count = Math.min(mostInputs, inputs - first);
      const part = features.subarray(first * inputLength, (first + count) * inputLength);
      some(part, count).forEach((logits, member) => {
        members[member] ??= new Float32Array(inputs * outputs);
        members[member].set(logits, first * outputs);
      });
    }
    return members;
  };
}

/** Starts loading; the first `end` waits for it. */
export function startMemberThread(
  choice: EngineChoice,
  network: Network,
  members: readonly WeightValues[],
  inputLength: number,
): MemberThread {
  const { config, classes } = network;
  const { outputs } = network;
  const floats = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
  const control = new Int32Array(new SharedArrayBuffer(8));
  const features = floats(mostInputs * inputLength);
  const logits = floats(members.length * mostInputs * outputs);
  const start: MemberThreadStart = {
    choice,
    config,
    classes,
    members,
    control,
    features,
    logits,
    inputLength,
  };
  const thread = new Thread(join(__dirname, 'member-thread.js'), start);
  thread.worker.unref();
  thread.worker.on('error', (error) => {
    // Ends the thread that started it too: a new one may do better.
    throw error;
  });
  let given = 0;
  const awaitCaller = (): void => {
    for (const state of [turn.starting, turn.thread]) Atomics.wait(control, 0, state, timeoutMs);
    if (Atomics.load(control, 0) === turn.caller) return;
    throw new AppError('engine-unavailable', 'A thread that computes some of the networks is gone.');
  };
  return {
    begin: (all, inputs) => {
      awaitCaller();
      given = inputs;
      features.set(all);
      control[1] = inputs;
      Atomics.store(control, 0, turn.thread);
      Atomics.notify(control, 0);
    },
    end: () => {
      awaitCaller();
      const length = given * outputs;
      return members.map((_, member) => logits.slice(member * length, (member + 1) * length));
    },
    close: () => {
      Atomics.store(control, 0, turn.over);
      Atomics.notify(control, 0);
      void thread.end();
    },
  };
}
