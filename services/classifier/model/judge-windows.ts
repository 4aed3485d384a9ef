import type { Outcome } from '../../../shared/batching/micro-batcher';
import type { EventLoopQueue } from '../../../shared/batching/event-loop-queue';
import type { Manifest } from '../../../shared/contracts/manifest';
import { windowFormat } from '../../../shared/contracts/members';
import { verdictOf, verdictOptions, type Verdict } from '../../../shared/decision/verdict';
import { gateSignal } from '../../../shared/signal/gate-signal';
import { levelOf, type Level } from '../../../shared/signal/level';
import type { WindowScores } from './loaded-model';

/** A window that was judged, and what was said of it. */
export interface ObservedWindow {
  /**
   * Mono, at the judging model's rate; not to be changed, and to be copied by who wants it for longer.
   */
  readonly samples: Float32Array;
  readonly level: Level;
  /** The most probable class, or `unknown`. */
  readonly label: string;
  /** The most probable class, known or not, and its probability. */
  readonly nearest: string;
  readonly confidence: number;
}

/** Looks on at what is judged. It keeps nobody waiting and never throws. */
export type WindowObserver = (manifest: Manifest, windows: readonly ObservedWindow[]) => void;

/** What is known of one window. */
export interface Judgement {
  readonly level: Level;
  readonly scores: Pick<WindowScores, 'probabilities' | 'evidence'> & Partial<WindowScores>;
  readonly verdict: Verdict;
}

/** How much a verdict names. */
export interface Asked {
  readonly topK: number;
  /** How many of AudioSet's tags; absent: none. */
  readonly topTags?: number | undefined;
}

export interface JudgeOptions extends Asked {
  readonly manifest: Manifest;
  /** For what is computed from the sound here. */
  readonly turns: EventLoopQueue;
  /** The caller on whose account the windows are judged. */
  readonly caller: string;
  readonly submit: (windows: readonly Float32Array[]) => Promise<readonly Outcome<WindowScores>[]>;
  /**
   * Whether a window is worth the model; absent: every window is.
   * @param signal the window as levels are taken of it
   */
  readonly isAudible?: (signal: Float32Array, index: number) => boolean;
  /** Told of the windows that the model judged. It keeps nobody waiting and never throws. */
  readonly observe: (windows: readonly ObservedWindow[]) => void;
}

/**
 * Judges windows: their levels, the scores of the model, the verdict of each; then whoever observes is
 * told.
 * @param windows mono samples at the model's rate, none longer than its window
 * @returns for each window what is known of it; undefined where it was not audible, and the model was
 *   not asked
 * @throws AppError overloaded; cancelled; what the engine fails with
 */
export async function judgeWindows(
  windows: readonly Float32Array[],
  options: JudgeOptions,
): Promise<(Judgement | undefined)[]> {
  const { manifest, submit, isAudible, observe } = options;
  // Where none can be silent the engine is asked at once: other windows wait for these.
  const asked = isAudible === undefined ? await submit(windows) : undefined;
  const levels = await levelsOf(windows, options);
  const outcomes = asked ?? (await submit(windows.filter((_, index) => levels[index] !== undefined)));
  let next = 0;
  const judgements = levels.map((level) =>
    level === undefined ? undefined : judge(manifest, level, outcomes[next++]!.result, options),
  );
  observe(
    judgements.flatMap((judgement, index) =>
      judgement === undefined ? [] : [observeWindow(windows[index]!, judgement.level, judgement.verdict)],
    ),
  );
  return judgements;
}

/** A level for each window; undefined where it is not audible. */
async function levelsOf(
  windows: readonly Float32Array[],
  { manifest, turns, caller, isAudible }: JudgeOptions,
): Promise<(Level | undefined)[]> {
  const format = windowFormat(manifest);
  const levels: (Level | undefined)[] = [];
  for (const [index, samples] of windows.entries()) {
    const level = await turns.run(caller, () => {
      const signal = gateSignal(samples, format);
      return isAudible?.(signal, index) === false ? undefined : levelOf(signal);
    });
    levels.push(level);
  }
  return levels;
}

/** The verdict on a window whose level and scores are known. */
export function judge(
  manifest: Manifest,
  level: Level,
  scores: Judgement['scores'],
  { topK, topTags }: Asked,
): Judgement {
  const verdict = verdictOf({ ...scores, ...level }, verdictOptions(manifest, { topK, topTags }));
  return { level, scores, verdict };
}

export function observeWindow(
  samples: Float32Array,
  level: Level,
  { label, confidence, predictions }: Verdict,
): ObservedWindow {
  return { samples, level, label, nearest: predictions[0]!.label, confidence };
}
