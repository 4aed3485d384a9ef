import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { closeCodes } from '../contracts/stream';
import { errorCodes, type ErrorCode } from '../errors/app-error';
import { EventMetrics } from './event-metrics';
import { JobMetrics } from './job-metrics';

/**
 * Containers with a label of their own. An upload without a detected container counts as `unknown`, any
 * other as `other`.
 */
const formats = [
  ...['wav', 'flac', 'mp3', 'ogg', 'mp4', 'matroska', 'webm', 'asf', 'aiff', 'caf', 'amr', 'aac'],
  ...['unknown', 'other'],
] as const;

/** The error codes that a recording itself causes. */
const decodeFailures: readonly ErrorCode[] = [
  'unsupported-media',
  'undecodable-audio',
  'empty-audio',
  'non-finite-audio',
  'clip-too-long',
];

/** Our codes, those of lost and half-closed connections, and that of a protocol violation. */
const streamCloseCodes = [...Object.values(closeCodes).map(String), '1002', '1005', '1006', 'other'];

/** Reasons for refusing or dropping work because of overload. */
const overloadCauses = [
  /** All places for recordings are taken. */
  'places',
  /** The queue of the engine is full. */
  'queue',
  /** The answer would exceed the time limit. */
  'late',
  /** Recordings being received use all the memory for uploads. */
  'upload-memory',
  /** Decoded audio used all of its memory until the time limit of a recording. */
  'decoded-audio',
  /** The limit of connections is reached, in total or for one address. */
  'connections',
  /** The limit of open streams is reached. */
  'streams',
  /** The open streams use all of their share of the engine. */
  'stream-engine',
  /** The stream was idle, or its place went to a caller with fewer streams. */
  'stream-displaced',
] as const;
export type OverloadCause = (typeof overloadCauses)[number];

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface ModelLabels {
  readonly version: string;
  readonly architecture: string;
  readonly sha256: string;
  readonly engine: string;
}

/**
 * All Prometheus metrics of the classifier (those of jobs and of events that leave are in files of their
 * own): base units, closed sets of labels, all series start at 0.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #registers = [this.registry];
  readonly jobs = new JobMetrics(this.registry);
  readonly events;

  readonly requestSeconds = new Histogram({
    name: 'earshot_http_request_duration_seconds',
    help: 'Whole requests, from their head to the end of the answer; code 499 where the client left first.',
    labelNames: ['route', 'code'] as const,
    buckets,
    registers: this.#registers,
  });
  readonly requestsInFlight = new Gauge({
    name: 'earshot_http_requests_in_flight',
    help: 'Requests being read or answered.',
    registers: this.#registers,
  });
  readonly rejected = new Counter({
    name: 'earshot_rejected_total',
    help: 'Requests that ended in an error, by the code of the problem document.',
    labelNames: ['reason'] as const,
    registers: this.#registers,
  });
  readonly overloads = new Counter({
    name: 'earshot_overload_total',
    help: 'Recordings, streams and connections refused or given up because there was too much, by what there was too much of.',
    labelNames: ['cause'] as const,
    registers: this.#registers,
  });
  readonly uploadBytes = new Histogram({
    name: 'earshot_upload_size_bytes',
    help: 'Recordings read whole.',
    buckets: [1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 2.5e7, 1e8],
    registers: this.#registers,
  });
  readonly audioSeconds = new Counter({
    name: 'earshot_audio_seconds_total',
    help: 'Sound decoded.',
    registers: this.#registers,
  });
  readonly decodeSeconds = new Histogram({
    name: 'earshot_decode_duration_seconds',
    help: 'From an upload to mono samples, the wait for a decoding thread included.',
    buckets,
    registers: this.#registers,
  });
  readonly #decodeFailures = new Counter({
    name: 'earshot_decode_failures_total',
    help: 'Recordings that could not be decoded, by the container found in them.',
    labelNames: ['format', 'reason'] as const,
    registers: this.#registers,
  });
  readonly queueSeconds = new Histogram({
    name: 'earshot_queue_duration_seconds',
    help: 'What a request waited for the engine, all its windows together.',
    buckets,
    registers: this.#registers,
  });
  readonly inferenceSeconds = new Histogram({
    name: 'earshot_inference_duration_seconds',
    help: 'One batch on the engine.',
    buckets,
    registers: this.#registers,
  });
  readonly batchSize = new Histogram({
    name: 'earshot_batch_size',
    help: 'Windows in one batch.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers: this.#registers,
  });
  readonly predictions = new Counter({
    name: 'earshot_predictions_total',
    help: 'Classified clips by their most probable class.',
    labelNames: ['class'] as const,
    registers: this.#registers,
  });
  readonly predictionConfidence = new Histogram({
    name: 'earshot_prediction_confidence_ratio',
    help: 'Probability of the most probable class, of each clip and of each window of a stream.',
    buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1],
    registers: this.#registers,
  });
  readonly streamsOpened = new Counter({
    name: 'earshot_stream_opened_total',
    help: 'WebSockets accepted at /stream.',
    registers: this.#registers,
  });
  readonly #streamsClosed = new Counter({
    name: 'earshot_stream_closed_total',
    help: 'WebSockets closed at /stream, by close code; 1006 where the connection was lost.',
    labelNames: ['code'] as const,
    registers: this.#registers,
  });
  readonly streamAudioSeconds = new Counter({
    name: 'earshot_stream_audio_seconds_total',
    help: 'Sound received in streams.',
    registers: this.#registers,
  });
  readonly streamClippedSeconds = new Counter({
    name: 'earshot_stream_clipped_seconds_total',
    help: 'Sound received in streams whose samples stand at full scale.',
    registers: this.#registers,
  });
  readonly streamDroppedSeconds = new Counter({
    name: 'earshot_stream_dropped_seconds_total',
    help: 'Sound of streams that no prediction covers.',
    labelNames: ['reason'] as const,
    registers: this.#registers,
  });
  readonly streamLagSeconds = new Histogram({
    name: 'earshot_stream_lag_seconds',
    help: 'From the arrival of the last audio that a window needs to its prediction.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: this.#registers,
  });
  readonly streamRealtimeRatio = new Histogram({
    name: 'earshot_stream_realtime_ratio',
    help: 'Lag of a prediction as a share of the hop: from 1 on, a stream falls behind.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2, 5, 10],
    registers: this.#registers,
  });
  readonly streamLevelDbfs = new Histogram({
    name: 'earshot_stream_level_dbfs',
    help: 'Root mean square level of what each window of a stream brought; 0 is full scale.',
    buckets: [-90, -80, -70, -60, -50, -40, -30, -20, -10, 0],
    registers: this.#registers,
  });
  readonly streamSilentWindows = new Counter({
    name: 'earshot_stream_silent_windows_total',
    help: 'Windows of streams answered without the model, being below the level gate.',
    registers: this.#registers,
  });
  readonly streamPredictions = new Counter({
    name: 'earshot_stream_predictions_total',
    help: 'Windows of streams by their most probable class.',
    labelNames: ['class'] as const,
    registers: this.#registers,
  });
  readonly streamEvents = new Counter({
    name: 'earshot_stream_events_total',
    help: 'Events started in streams, by class.',
    labelNames: ['class'] as const,
    registers: this.#registers,
  });
  readonly engineLost = new Counter({
    name: 'earshot_engine_lost_total',
    help: 'Times the inference thread died or could not be started again.',
    registers: this.#registers,
  });
  readonly engineGivenUp = new Counter({
    name: 'earshot_engine_given_up_total',
    help: 'Engines that failed again and again, and are passed over until the next start.',
    labelNames: ['engine'] as const,
    registers: this.#registers,
  });
  readonly modelReloads = new Counter({
    name: 'earshot_model_reload_total',
    help: 'Changes of what serves that were followed, or could not be: then the model from before answers on.',
    labelNames: ['result'] as const,
    registers: this.#registers,
  });
  readonly modelReloadSeconds = new Histogram({
    name: 'earshot_model_reload_duration_seconds',
    help: 'From the decision to load a version to its first answer.',
    buckets,
    registers: this.#registers,
  });
  readonly gateDecisions = new Counter({
    name: 'earshot_gate_decisions_total',
    help: 'Versions that were to be promoted here: the gate passed them, refused them, or failed to judge them.',
    labelNames: ['result'] as const,
    registers: this.#registers,
  });
  readonly shadowWindows = new Counter({
    name: 'earshot_shadow_windows_total',
    help: 'Windows that the shadow was to judge: it said the same, something else, or left them out.',
    labelNames: ['outcome'] as const,
    registers: this.#registers,
  });
  readonly shadowConfidenceDifference = new Histogram({
    name: 'earshot_shadow_confidence_difference_ratio',
    help: 'Confidence of the shadow less that of the model that answered.',
    buckets: [-0.5, -0.2, -0.1, -0.05, -0.01, 0, 0.01, 0.05, 0.1, 0.2, 0.5, 1],
    registers: this.#registers,
  });
  readonly #modelInfo = new Gauge({
    name: 'earshot_model_info',
    help: '1 for the model that answers.',
    labelNames: ['version', 'architecture', 'sha256', 'engine'] as const,
    registers: this.#registers,
  });

  /**
   * @param routes the closed set of values of the label `route`
   * @param sourceNames that of the label `source`, besides `other`
   */
  constructor(routes: readonly string[], sourceNames: readonly string[] = []) {
    this.events = new EventMetrics(this.registry, sourceNames);
    collectDefaultMetrics({ register: this.registry });
    for (const route of routes) this.requestSeconds.zero({ route, code: '200' });
    for (const reason of errorCodes) this.rejected.inc({ reason }, 0);
    for (const cause of overloadCauses) this.overloads.inc({ cause }, 0);
    for (const code of streamCloseCodes) this.#streamsClosed.inc({ code }, 0);
    this.streamDroppedSeconds.inc({ reason: 'overload' }, 0);
    for (const engine of ['cuda', 'cpu']) this.engineGivenUp.inc({ engine }, 0);
    for (const result of ['loaded', 'failed']) this.modelReloads.inc({ result }, 0);
    for (const result of ['passed', 'refused', 'failed']) this.gateDecisions.inc({ result }, 0);
    for (const outcome of ['agreed', 'disagreed', 'dropped']) this.shadowWindows.inc({ outcome }, 0);
    for (const reason of decodeFailures) {
      for (const format of formats) this.#decodeFailures.inc({ format, reason }, 0);
    }
  }

  /**
   * Counts a recording that could not be decoded; errors that a recording does not cause are ignored.
   * @param found the detected container
   */
  countDecodeFailure(code: ErrorCode, found: unknown): void {
    if (!decodeFailures.includes(code)) return;
    const format = formats.find((known) => known === (found ?? 'unknown')) ?? 'other';
    this.#decodeFailures.inc({ format, reason: code });
  }

  /** Shows which model is served, and starts a series for each of its classes. */
  showModel(labels: ModelLabels, classes: readonly string[]): void {
    this.#modelInfo.reset();
    this.#modelInfo.set({ ...labels }, 1);
    for (const counter of [this.predictions, this.streamPredictions, this.streamEvents]) {
      for (const name of classes) counter.inc({ class: name }, 0);
    }
  }

  /** Codes that clients invent count as `other`. */
  countStreamClosed(code: number): void {
    const known = streamCloseCodes.find((label) => label === String(code));
    this.#streamsClosed.inc({ code: known ?? 'other' });
  }

  /** Registers a gauge whose value is read at each scrape. */
  watch(name: `earshot_${string}`, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: this.#registers,
      collect: () => {
        gauge.set(read());
      },
    });
  }

  /**
   * Registers gauges, read at each scrape, of the drift of the served windows from the validation of the
   * model.
   */
  watchDrift<Kind extends string>(
    kinds: readonly Kind[],
    drift: { readonly windows: number; index(kind: Kind): number },
  ): void {
    this.watch('earshot_drift_windows', 'Judged windows that drift is measured on.', () => drift.windows);
    const gauge = new Gauge<'kind'>({
      name: 'earshot_drift_stability_index',
      help: 'Population stability index against the validation clips: 0 is none; NaN while too little was heard.',
      labelNames: ['kind'] as const,
      registers: this.#registers,
      collect: () => {
        for (const kind of kinds) gauge.set({ kind }, drift.index(kind));
      },
    });
  }
}
