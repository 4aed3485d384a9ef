import { floorDbfs, isSilent, levelDbfs } from '../../../shared/signal/level';
import type { SlidingWindow } from '../../../shared/signal/sliding-windows';
import type { StartMessage } from '../../../shared/contracts/stream';
import { windowFormat } from '../../../shared/contracts/members';
import { judgeWindows, type JudgeOptions, type Judgement, type WindowObserver } from '../model/judge-windows';

/** The result for one window of a stream. */
export interface StreamJudgement {
  readonly window: SlidingWindow;
  /** Level of the samples that are not in the window before. */
  readonly levelDbfs: number;
  /** Undefined for a silent window, which does not go to the model. */
  readonly judgement: Judgement | undefined;
}

export interface StreamJudgeDeps extends Pick<JudgeOptions, 'manifest' | 'turns' | 'submit'> {
  readonly observer: WindowObserver;
}

/**
 * Judges windows of one stream together. Only windows that are not silent go to the model.
 * @returns a judgement for each window, in their order
 */
export async function judgeStreamWindows(
  windows: readonly SlidingWindow[],
  { start, caller }: { readonly start: StartMessage; readonly caller: string },
  { manifest, turns, submit, observer }: StreamJudgeDeps,
): Promise<StreamJudgement[]> {
  const { topK, tags: topTags, silenceDbfs } = start;
  const { sampleRate } = windowFormat(manifest);
  const levels: number[] = [];
  const judgements = await judgeWindows(
    windows.map(({ samples }) => samples),
    {
      manifest,
      turns,
      caller,
      submit,
      topK,
      topTags,
      observe: (judged) => {
        for (const window of judged) observer(manifest, [window]);
      },
      isAudible: (signal, index) => {
        levels.push(newLevel(signal, windows[index]!));
        return silenceDbfs === null || !isSilent(signal, sampleRate, silenceDbfs);
      },
    },
  );
  return windows.map((window, index) => ({
    window,
    levelDbfs: levels[index]!,
    judgement: judgements[index],
  }));
}

function newLevel(signal: Float32Array, { newSamples }: SlidingWindow): number {
  return newSamples > 0 ? levelDbfs(signal.subarray(signal.length - newSamples)) : floorDbfs;
}
