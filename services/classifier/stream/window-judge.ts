import { gateSignal } from '../../../shared/signal/gate-signal';
import { floorDbfs, levelDbfs, loudestBlockDbfs } from '../../../shared/signal/level';
import type { SlidingWindow } from '../../../shared/signal/sliding-windows';
import type { EventLoopQueue } from '../../../shared/batching/event-loop-queue';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type { WindowBatcher, WindowScores } from '../model/loaded-model';

/** What is known of one window. */
export interface Judgement {
  readonly window: SlidingWindow;
  /** The window as levels are taken of it. */
  readonly gateSignal: Float32Array;
  /** Of what is new in it. */
  readonly levelDbfs: number;
  /** Undefined when it was silent and nobody was asked. */
  readonly scores: WindowScores | undefined;
}

export interface JudgeOptions {
  readonly frontEnd: FrontEnd;
  /** Below this a window is silent; null: none is. */
  readonly silenceDbfs: number | null;
  readonly turns: EventLoopQueue;
  /** On whose account. */
  readonly caller: string;
  readonly submit: (windows: readonly Float32Array[]) => ReturnType<WindowBatcher['submit']>;
}

/** The gate listens to the loudest block of this length. */
const blockSeconds = 0.1;

/** Judges windows of one stream together; silent ones are not worth the model. */
export async function judgeWindows(
  windows: readonly SlidingWindow[],
  { frontEnd, silenceDbfs, turns, caller, submit }: JudgeOptions,
): Promise<Judgement[]> {
  const block = Math.max(1, Math.round(blockSeconds * frontEnd.sampleRate));
  const loud: SlidingWindow[] = [];
  const levels: number[] = [];
  const signals: Float32Array[] = [];
  for (const window of windows) {
    await turns.run(caller, () => {
      const signal = gateSignal(window.samples, frontEnd);
      signals.push(signal);
      levels.push(newLevel(signal, window));
      if (silenceDbfs === null || loudestBlockDbfs(signal, block) >= silenceDbfs) loud.push(window);
    });
  }
  const outcomes = await submit(loud.map(({ samples }) => samples));
  const scores = new Map(loud.map((window, index) => [window, outcomes[index]!.result]));
  return windows.map((window, index) => ({
    window,
    gateSignal: signals[index]!,
    levelDbfs: levels[index]!,
    scores: scores.get(window),
  }));
}

function newLevel(signal: Float32Array, { newSamples }: SlidingWindow): number {
  return newSamples > 0 ? levelDbfs(signal.subarray(signal.length - newSamples)) : floorDbfs;
}
