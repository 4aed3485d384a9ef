import { randomUUID } from 'node:crypto';
import { fullScaleWarnings, type FullScaleEvent } from '../../../shared/signal/full-scale-guard';
import type { EventChange, EventDetector } from '../../../shared/decision/event-detector';
import { detectorFor, eventClasses, scoresForEvents } from '../../../shared/decision/event-scores';
import type { Verdict } from '../../../shared/decision/verdict';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { DoneMessage, EventRule, StartMessage } from '../../../shared/contracts/stream';
import type { Metrics } from '../../../shared/observability/metrics';
import type { PublishEvent } from '../events/event-publisher';
import { describeModel } from '../model/describe-model';
import type { Outbox } from './outbox';
import type { StreamJudgement } from './window-judge';

/** Seconds after which a client may reconnect when the service shuts down. */
const drainRetrySeconds = 5;

export interface ReporterDeps {
  readonly metrics: Metrics;
  readonly publish: PublishEvent;
}

/** Turns the judgements of a stream's windows into messages: predictions, events and finally totals. */
export class Reporter {
  readonly #start: StartMessage;
  readonly #outbox: Outbox;
  readonly #metrics: Metrics;
  readonly #publish: PublishEvent;
  /** Names the stream to receivers of its events; the id by which it is resumed is a secret. */
  readonly #publicId = randomUUID();
  #manifest: Manifest;
  #detector: EventDetector | undefined;
  /** End of the last window that was reported. */
  #atSeconds = 0;
  #predictions = 0;
  #silent = 0;
  #droppedSeconds = 0;
  #lagSumMs = 0;
  #maxLagMs = 0;
  /** Windows skipped since the last prediction. */
  #skippedWindows = 0;
  readonly #reportedFullScale = new Set<FullScaleEvent>();

  constructor(start: StartMessage, manifest: Manifest, outbox: Outbox, deps: ReporterDeps) {
    this.#start = start;
    this.#manifest = manifest;
    this.#outbox = outbox;
    this.#metrics = deps.metrics;
    this.#publish = deps.publish;
    this.#detector = start.events === null ? undefined : detectorFor(start.events, manifest);
  }

  /**
   * Switches to another model. If its classes or thresholds differ, events that last are ended here,
   * because the new model cannot tell when they end.
   */
  changeModel(manifest: Manifest): void {
    const { classes } = manifest;
    const { events: rule } = this.#start;
    if (this.#detector !== undefined && rule !== null && !detectsAlike(rule, manifest, this.#manifest)) {
      this.#sendEvents(this.#detector.finish(this.#atSeconds));
      this.#detector = detectorFor(rule, manifest, this.#detector.events);
    }
    this.#manifest = manifest;
    this.#outbox.send({
      type: 'notice',
      notice: 'model-changed',
      model: describeModel(manifest),
      labels: classes,
      message: `Another model judges from here on: ${manifest.version}.`,
    });
  }

  /** Counts received sound. @param clippedShare of its samples, from 0 to 1 */
  countSound(seconds: number, clippedShare: number): void {
    this.#metrics.streamAudioSeconds.inc(seconds);
    this.#metrics.streamClippedSeconds.inc(clippedShare * seconds);
    this.#metrics.events.countSourceAudio(this.#start.source?.name, seconds);
  }

  report({ window, levelDbfs, judgement }: StreamJudgement, lagMs: number): void {
    const verdict = judgement?.verdict;
    this.#count(levelDbfs, verdict, lagMs);
    this.#outbox.send({
      type: 'prediction',
      startSeconds: window.startSeconds,
      endSeconds: window.endSeconds,
      silent: verdict === undefined,
      ...(verdict ?? { unknown: false, label: 'silence', confidence: null, predictions: [] }),
      level: Math.round(levelDbfs * 10) / 10,
      lagMs: Math.round(lagMs * 10) / 10,
      skipped: this.#skippedWindows,
    });
    this.#skippedWindows = 0;
    const scores = scoresForEvents(this.#manifest, judgement && { ...judgement.level, ...judgement.scores });
    this.#atSeconds = window.endSeconds;
    this.#sendEvents(this.#detector?.push(window.endSeconds, scores) ?? []);
  }

  /**
   * Reports windows that were skipped because the service is overloaded.
   * @param unheard the sound that no other window covers
   */
  reportSkipped(
    windows: number,
    unheard: { readonly startSeconds: number; readonly endSeconds: number } | undefined,
  ): void {
    this.#skippedWindows += windows;
    if (unheard === undefined) return;
    const seconds = unheard.endSeconds - unheard.startSeconds;
    this.#droppedSeconds += seconds;
    this.#metrics.streamDroppedSeconds.inc({ reason: 'overload' }, seconds);
    this.#outbox.send({
      type: 'notice',
      notice: 'audio-dropped',
      reason: 'overload',
      startSeconds: unheard.startSeconds,
      seconds,
      message: `The service is too busy: ${seconds.toFixed(2)} s of sound went unheard.`,
    });
  }

  /**
   * Sends a notice that samples far beyond full scale were corrected; once for each kind of correction.
   */
  reportFullScale(event: FullScaleEvent): void {
    if (this.#reportedFullScale.has(event)) return;
    this.#reportedFullScale.add(event);
    this.#outbox.send({ type: 'notice', notice: 'beyond-full-scale', message: fullScaleWarnings[event] });
  }

  finish(reason: DoneMessage['reason'], audioSeconds: number, receivedBytes: number): void {
    this.#sendEvents(this.#detector?.finish(audioSeconds) ?? []);
    this.#outbox.send({
      type: 'done',
      reason,
      ...(reason === 'draining' ? { retryAfterSeconds: drainRetrySeconds } : {}),
      totals: {
        audioSeconds,
        receivedBytes,
        predictions: this.#predictions,
        silent: this.#silent,
        events: this.#detector?.events ?? 0,
        droppedSeconds: this.#droppedSeconds,
        meanLagMs: this.#predictions === 0 ? 0 : this.#lagSumMs / this.#predictions,
        maxLagMs: this.#maxLagMs,
      },
    });
  }

  #count(levelDbfs: number, verdict: Verdict | undefined, lagMs: number): void {
    this.#predictions++;
    this.#lagSumMs += lagMs;
    this.#maxLagMs = Math.max(this.#maxLagMs, lagMs);
    this.#metrics.streamLagSeconds.observe(lagMs / 1000);
    this.#metrics.streamRealtimeRatio.observe(lagMs / 1000 / this.#start.hopSeconds);
    this.#metrics.streamLevelDbfs.observe(levelDbfs);
    if (verdict === undefined) {
      this.#silent++;
      this.#metrics.streamSilentWindows.inc();
      return;
    }
    this.#metrics.streamPredictions.inc({ class: verdict.label });
    this.#metrics.predictionConfidence.observe(verdict.confidence);
  }

  #sendEvents(changes: readonly EventChange[]): void {
    const { source } = this.#start;
    for (const change of changes) {
      if (change.event === 'started') {
        this.#metrics.streamEvents.inc({ class: change.label });
        this.#metrics.events.countSourceEvent(source?.name);
      }
      const event = { ...change, ...(source && { source }) };
      // On disk first: what a client has heard of leaves the service too.
      this.#publish({ ...event, stream: this.#publicId, model: this.#manifest.version });
      this.#outbox.send({ type: 'event', ...event });
    }
  }
}

/** Whether two versions have the same classes and thresholds, so that one event detector serves both. */
function detectsAlike(rule: EventRule, one: Manifest, other: Manifest): boolean {
  return JSON.stringify(eventClasses(rule, one)) === JSON.stringify(eventClasses(rule, other));
}
