import { setTimeout as pause } from 'node:timers/promises';
import type { Outcome } from '../../../../shared/batching/micro-batcher';
import type { EventLoopQueue } from '../../../../shared/batching/event-loop-queue';
import type { Classification, RecordingEvent } from '../../../../shared/contracts/classification';
import { windowFormat } from '../../../../shared/contracts/members';
import type { EventRule } from '../../../../shared/contracts/stream';
import type { EventChange, EventDetector } from '../../../../shared/decision/event-detector';
import { assertThresholdsFit, detectorFor, scoresForEvents } from '../../../../shared/decision/event-scores';
import {
  verdictOfWindows,
  verdictOptions,
  type JudgedWindow,
  type Verdict,
} from '../../../../shared/decision/verdict';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import { isSilent } from '../../../../shared/signal/level';
import { RecordingWindows, type RecordingWindow } from '../../../../shared/signal/recording-windows';
import {
  judgeWindows,
  observeWindow,
  type Asked,
  type Judgement,
  type WindowObserver,
} from '../judge-windows';
import type { ServedModel, WindowScores } from '../loaded-model';

/** How the events of a recording are detected; the same settings as those of a stream. */
export interface EventSettings {
  readonly rule: EventRule;
  /** Step between two windows. */
  readonly hopSeconds: number;
  /** A window whose loudest 0.1 s is below this counts as no class. */
  readonly silenceDbfs: number;
}

export interface RecordingJudgeDeps {
  readonly model: ServedModel;
  readonly observer: WindowObserver;
  /** For what is computed from the sound here. */
  readonly turns: EventLoopQueue;
}

export interface RecordingJudgeOptions extends Asked {
  /** Step between two windows of the answer. */
  readonly hopSeconds: number;
  /** Undefined: no events. */
  readonly events: EventSettings | undefined;
  /** The caller on whose account it is judged (access/caller-id.ts). */
  readonly caller: string;
  readonly signal: AbortSignal;
}

export interface RecordingVerdict {
  readonly overall: Verdict;
  readonly windows: Classification['windows'];
  /** The events, in the order of their onsets; undefined where none were asked for. */
  readonly events: RecordingEvent[] | undefined;
  /** Time in the queue. */
  readonly queueMs: number;
  /** Time on the engine, each batch counted once. */
  readonly inferenceMs: number;
}

/** Windows that are judged together. */
const groupWindows = 16;

/**
 * Judges a recording of any length: the verdict over the whole, the windows of the answer, and the
 * events.
 *
 * Windows are judged in groups, one group at a time, so that a long recording does not fill the queue.
 * The first group is refused when the queue is full; later ones wait for room, because much of the work
 * is done by then.
 */
export class RecordingJudge {
  readonly #deps: RecordingJudgeDeps;
  readonly #options: RecordingJudgeOptions;
  readonly #windows: RecordingWindows;
  readonly #detector: EventDetector | undefined;
  #group: RecordingWindow[] = [];
  #judging: Promise<void> = Promise.resolve();
  #isAccepted = false;
  readonly #judged: JudgedWindow[] = [];
  readonly #listed: Classification['windows'] = [];
  readonly #events: EventChange[] = [];
  readonly #batchMs = new Map<number, number>();
  #queueMs = 0;

  /**
   * @param samples at the model's rate; not to be changed while it judges
   * @throws AppError empty-audio; malformed-request for thresholds of classes that the model does not have
   */
  constructor(samples: Float32Array, deps: RecordingJudgeDeps, options: RecordingJudgeOptions) {
    if (samples.length === 0) throw new AppError('empty-audio', 'The recording holds no samples.');
    const { manifest } = deps.model;
    const { sampleRate, windowSeconds } = windowFormat(manifest);
    const { hopSeconds, events } = options;
    this.#deps = deps;
    this.#options = options;
    this.#windows = new RecordingWindows(samples, {
      sampleRate,
      windowSeconds,
      hopSeconds,
      eventHopSeconds: events && Math.min(events.hopSeconds, windowSeconds),
    });
    if (events !== undefined) assertThresholdsFit(events.rule, manifest);
    this.#detector = events && detectorFor(events.rule, manifest);
  }

  /**
   * Judges the recording; call it once.
   * @throws AppError overloaded; cancelled; what the engine fails with
   */
  async judge(): Promise<RecordingVerdict> {
    for (let next = this.#windows.take(); next !== undefined; next = this.#windows.take()) {
      await this.#add(next);
    }
    const last = this.#windows.finish();
    if (last !== undefined) await this.#add(last);
    await this.#startGroup();
    await this.#judging;
    const { topK, topTags } = this.#options;
    const { manifest } = this.#deps.model;
    this.#keepEnded(this.#detector?.finish(this.#windows.durationSeconds) ?? []);
    return {
      overall: verdictOfWindows(this.#judged, verdictOptions(manifest, { topK, topTags })),
      windows: this.#listed,
      events: this.#detector && this.#events.map(toRecordingEvent).sort(byOnset),
      queueMs: this.#queueMs,
      inferenceMs: [...this.#batchMs.values()].reduce((sum, ms) => sum + ms, 0),
    };
  }

  async #add(window: RecordingWindow): Promise<void> {
    this.#group.push(window);
    if (this.#group.length >= groupWindows) await this.#startGroup();
  }

  /** Starts the next group when the one before it is judged. */
  async #startGroup(): Promise<void> {
    await this.#judging;
    const group = this.#group;
    if (group.length === 0) return;
    this.#group = [];
    this.#judging = this.#judgeGroup(group);
    // Whoever awaits it next hears of an error.
    this.#judging.catch(() => undefined);
  }

  async #judgeGroup(group: readonly RecordingWindow[]): Promise<void> {
    const { model, turns, observer } = this.#deps;
    const { manifest } = model;
    const { topK, topTags, events, caller } = this.#options;
    const { sampleRate } = windowFormat(manifest);
    const silent = new Set<number>();
    const judgements = await judgeWindows(
      group.map(({ samples }) => samples),
      {
        manifest,
        turns,
        caller,
        topK,
        topTags,
        submit: (samples) => this.#submit(samples),
        ...(events && {
          isAudible: (signal, index) => {
            if (isSilent(signal, sampleRate, events.silenceDbfs)) silent.add(index);
            return group[index]!.isListed || !silent.has(index);
          },
        }),
        observe: () => undefined,
      },
    );
    for (const [index, window] of group.entries()) {
      const judgement = judgements[index];
      if (window.isListed) this.#list(window, judgement!);
      if (window.isForEvents) this.#detect(window, silent.has(index) ? undefined : judgement);
    }
    const observed = group.flatMap(({ isListed, samples }, index) =>
      isListed ? [observeWindow(samples, judgements[index]!.level, judgements[index]!.verdict)] : [],
    );
    if (observed.length > 0) observer(manifest, observed);
  }

  #list({ startSeconds, endSeconds }: RecordingWindow, { scores, level, verdict }: Judgement): void {
    const { probabilities, evidence, tags } = scores;
    this.#judged.push({ probabilities, evidence, tags, ...level });
    this.#listed.push({ startSeconds, endSeconds, ...verdict });
  }

  #detect({ endSeconds }: RecordingWindow, judgement: Judgement | undefined): void {
    const heard = judgement && { ...judgement.level, ...judgement.scores };
    const scores = scoresForEvents(this.#deps.model.manifest, heard);
    this.#keepEnded(this.#detector!.push(endSeconds, scores));
  }

  #keepEnded(changes: readonly EventChange[]): void {
    this.#events.push(...changes.filter(({ event }) => event === 'ended'));
  }

  async #submit(samples: readonly Float32Array[]): Promise<readonly Outcome<WindowScores>[]> {
    const submittedMs = performance.now();
    const outcomes = await this.#submitInTime(samples);
    this.#isAccepted = true;
    let engineMs = 0;
    for (const { batch, result } of outcomes) {
      if (this.#batchMs.has(batch)) continue;
      this.#batchMs.set(batch, result.inferenceMs);
      engineMs += result.inferenceMs;
    }
    this.#queueMs += Math.max(0, performance.now() - submittedMs - engineMs);
    return outcomes;
  }

  /** @throws AppError overloaded, of the first group alone; cancelled; what the engine fails with */
  async #submitInTime(samples: readonly Float32Array[]): Promise<readonly Outcome<WindowScores>[]> {
    const { caller, signal } = this.#options;
    for (;;) {
      try {
        return await this.#deps.model.batcher.submit(samples, { signal, caller });
      } catch (caught) {
        const { code, details } = AppError.from(caught);
        if (code !== 'overloaded' || !this.#isAccepted || signal.aborted) throw caught;
        await waitSeconds(Number(details['retryAfterSeconds'] ?? 1), signal);
      }
    }
  }
}

/** @throws AppError the signal's reason when it aborts */
async function waitSeconds(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(1000 * seconds, undefined, { signal });
  } catch {
    throw cancellation(signal);
  }
}

function toRecordingEvent({
  label,
  onsetSeconds,
  offsetSeconds,
  peakConfidence,
}: EventChange): RecordingEvent {
  return { label, onsetSeconds, offsetSeconds: offsetSeconds!, peakConfidence };
}

function byOnset(one: RecordingEvent, other: RecordingEvent): number {
  return one.onsetSeconds - other.onsetSeconds || one.offsetSeconds - other.offsetSeconds;
}
