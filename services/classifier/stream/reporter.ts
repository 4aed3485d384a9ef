import { fullScaleWarnings, type FullScaleEvent } from '../../../shared/signal/full-scale-guard';
import { EventDetector, type EventChange } from '../../../shared/decision/event-detector';
import type { Verdict } from '../../../shared/decision/verdict';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { DoneMessage, EventRule, StartMessage } from '../../../shared/contracts/stream';
import type { Metrics } from '../../../shared/observability/metrics';
import { describeModel } from '../model/describe-model';
import type { Outbox } from './outbox';
import type { StreamJudgement } from './window-judge';

/** After a shutdown another instance should be there in so many seconds. */
export const drainRetrySeconds = 5;

/** Says what was judged: predictions, events and, at the end, totals. */
export class Reporter {
  readonly #start: StartMessage;
  readonly #outbox: Outbox;
  readonly #metrics: Metrics;
  #manifest: Manifest;
  #detector: EventDetector | undefined;
  /** End of the last window that was told of. */
  #atSeconds = 0;
  #predictions = 0;
  #silent = 0;
  #droppedSeconds = 0;
  #lagSumMs = 0;
  #maxLagMs = 0;
  /** Windows left out since the last prediction. */
  #leftOut = 0;
  readonly #limited = new Set<FullScaleEvent>();

  constructor(start: StartMessage, manifest: Manifest, outbox: Outbox, metrics: Metrics) {
    this.#start = start;
    this.#manifest = manifest;
    this.#outbox = outbox;
    this.#metrics = metrics;
    this.#detector = start.events === null ? undefined : detectorFor(start.events, manifest);
  }

  /** Another model judges from now on. Where its classes are others, what is going on ends: nobody could tell when it does. */
  changeModel(manifest: Manifest): void {
    const { classes } = manifest;
    if (
      !detectsAlike(manifest, this.#manifest) &&
      this.#detector !== undefined &&
      this.#start.events !== null
    ) {
      this.#tell(this.#detector.finish(this.#atSeconds));
      this.#detector = detectorFor(this.#start.events, manifest, this.#detector.events);
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
      skipped: this.#leftOut,
    });
    this.#leftOut = 0;
    // Silence, and what is none of the classes, makes no event of one. Classes with thresholds of their own need no more than these.
    const isKnown = verdict !== undefined && (verdict.labels !== undefined || !verdict.unknown);
    const known = isKnown ? judgement?.scores.probabilities : undefined;
    const scores = known ?? new Float32Array(this.#manifest.classes.length);
    this.#atSeconds = window.endSeconds;
    this.#tell(this.#detector?.push(window.endSeconds, scores) ?? []);
  }

  /** The service was too busy for `windows` windows; `unheard` is what no other window covers. */
  leftOut(
    windows: number,
    unheard: { readonly startSeconds: number; readonly endSeconds: number } | undefined,
  ): void {
    this.#leftOut += windows;
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

  /** Samples far beyond full scale were dealt with; each way is said once. */
  limited(event: FullScaleEvent): void {
    if (this.#limited.has(event)) return;
    this.#limited.add(event);
    this.#outbox.send({ type: 'notice', notice: 'beyond-full-scale', message: fullScaleWarnings[event] });
  }

  finish(reason: DoneMessage['reason'], audioSeconds: number, receivedBytes: number): void {
    this.#tell(this.#detector?.finish(audioSeconds) ?? []);
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

  #tell(changes: readonly EventChange[]): void {
    for (const change of changes) {
      if (change.event === 'started') this.#metrics.streamEvents.inc({ class: change.label });
      this.#outbox.send({ type: 'event', ...change });
    }
  }
}

function detectorFor(rule: EventRule, { classes, calibration }: Manifest, eventsBefore = 0): EventDetector {
  return new EventDetector(rule, classes, { eventsBefore, thresholds: calibration?.thresholds });
}

/** Whether a detector of one version's classes serves the other's. */
function detectsAlike(one: Manifest, other: Manifest): boolean {
  const ruleOf = ({ classes, calibration }: Manifest): string =>
    JSON.stringify([classes, calibration?.thresholds]);
  return ruleOf(one) === ruleOf(other);
}
