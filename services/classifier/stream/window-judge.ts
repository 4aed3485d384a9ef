import { floorDbfs, levelDbfs, loudestBlockDbfs } from '../../../shared/audio/level';
import type { SlidingWindow } from '../../../shared/audio/sliding-windows';
import type { WindowBatcher, WindowScores } from '../model/loaded-model';

/** What is known of one window. */
export interface Judgement {
  readonly window: SlidingWindow;
  /** Of what is new in it. */
  readonly levelDbfs: number;
  /** Undefined when it was silent and nobody was asked. */
  readonly scores: WindowScores | undefined;
}

/** The gate listens to the loudest block of this length. */
const blockSeconds = 0.1;

/**
 * Judges windows of one stream together; silent ones are not worth the model.
 * @param silenceDbfs below this a window is silent; null: none is
 */
export async function judgeWindows(
  windows: readonly SlidingWindow[],
  sampleRate: number,
  silenceDbfs: number | null,
  batcher: WindowBatcher,
  signal: AbortSignal,
): Promise<Judgement[]> {
  const block = Math.max(1, Math.round(blockSeconds * sampleRate));
  const isSilent = ({ samples }: SlidingWindow): boolean =>
    silenceDbfs !== null && loudestBlockDbfs(samples, block) < silenceDbfs;
  const loud = windows.filter((window) => !isSilent(window));
  const outcomes = await batcher.submit(
    loud.map(({ samples }) => samples),
    signal,
    'stream',
  );
  const scores = new Map(loud.map((window, index) => [window, outcomes[index]!.result]));
  return windows.map((window) => ({
    window,
    levelDbfs: newLevel(window),
    scores: scores.get(window),
  }));
}

function newLevel({ samples, newSamples }: SlidingWindow): number {
  return newSamples > 0 ? levelDbfs(samples.subarray(samples.length - newSamples)) : floorDbfs;
}
