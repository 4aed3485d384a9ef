import { windowScores } from '../../../shared/compute/inference/window-scores';
import type { WindowScorer } from '../../../shared/compute/inference/window-scorer';
import type { Manifest } from '../../../shared/contracts/manifest';
import { windowFormat } from '../../../shared/contracts/members';
import type { StartMessage } from '../../../shared/contracts/stream';
import { scoresForEvents } from '../../../shared/decision/event-scores';
import { gateSignal } from '../../../shared/signal/gate-signal';
import { isSilent, levelOf } from '../../../shared/signal/level';
import { SlidingWindows, type SlidingWindow } from '../../../shared/signal/sliding-windows';

/** The scores of a timeline's windows, as a stream's detector gets them. */
export interface ScoredTimeline {
  /** End of each window. */
  readonly ends: readonly number[];
  /** By window and class. */
  readonly scores: readonly Float32Array[];
}

/** How a stream is judged; the settings of `start`. */
export type StreamSettings = Pick<StartMessage, 'hopSeconds' | 'silenceDbfs'> & {
  readonly windowSeconds: number;
};

/** The sound is pushed in pieces, as a sender does. */
const pieceSeconds = 10;
/** Windows of one call of the engine. */
const batchWindows = 16;

/** Scores the windows that a stream of the samples has. */
export function scoreTimeline(
  samples: Float32Array,
  scorer: WindowScorer,
  manifest: Manifest,
  settings: StreamSettings,
): ScoredTimeline {
  const { sampleRate } = windowFormat(manifest);
  const windows = new SlidingWindows({ ...settings, sampleRate });
  const ends: number[] = [];
  const scores: Float32Array[] = [];
  let batch: SlidingWindow[] = [];
  const judge = (): void => {
    scores.push(...scoresOf(batch, scorer, manifest, settings));
    ends.push(...batch.map(({ endSeconds }) => endSeconds));
    batch = [];
  };
  const add = (window: SlidingWindow): void => {
    if (batch.push(window) === batchWindows) judge();
  };
  const piece = pieceSeconds * sampleRate;
  for (let at = 0; at < samples.length; at += piece) {
    windows.push(samples.subarray(at, at + piece));
    for (let next = windows.take(); next !== undefined; next = windows.take()) add(next);
  }
  const last = windows.finish();
  if (last !== undefined) add(last);
  judge();
  return { ends, scores };
}

/** A silent window does not go to the model. */
function scoresOf(
  windows: readonly SlidingWindow[],
  scorer: WindowScorer,
  manifest: Manifest,
  { silenceDbfs }: StreamSettings,
): Float32Array[] {
  const format = windowFormat(manifest);
  const levels = windows.map(({ samples }) => {
    const signal = gateSignal(samples, format);
    const silent = silenceDbfs !== null && isSilent(signal, format.sampleRate, silenceDbfs);
    return silent ? undefined : levelOf(signal);
  });
  const audible = windows.filter((_, index) => levels[index] !== undefined);
  const rows = audible.length === 0 ? [] : scorer.logits(audible.map(({ samples }) => samples));
  const { probabilities, evidence } = windowScores(rows, manifest);
  let next = 0;
  return levels.map((level) => {
    if (level === undefined) return scoresForEvents(manifest, undefined);
    const place = next++;
    const judged = { ...level, probabilities: probabilities[place]!, evidence: evidence?.[place] };
    return scoresForEvents(manifest, judged);
  });
}
