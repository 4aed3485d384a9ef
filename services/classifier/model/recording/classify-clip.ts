import type { ClipDecoder, Clip } from '../../../../shared/signal/clip';
import type { EventLoopQueue } from '../../../../shared/batching/event-loop-queue';
import type { Classification } from '../../../../shared/contracts/classification';
import { windowFormat, type WindowFormat } from '../../../../shared/contracts/members';
import { AppError } from '../../../../shared/errors/app-error';
import type { Metrics } from '../../../../shared/observability/metrics';
import { describeModel } from '../describe-model';
import type { WindowObserver } from '../judge-windows';
import type { Lease, ServedModel } from '../loaded-model';
import { RecordingJudge, type EventSettings } from './recording-judge';

export interface ClassifyDeps {
  readonly decoder: ClipDecoder;
  /** The model that answers now, held until its answer is there. */
  readonly lease: () => Lease;
  readonly observer: WindowObserver;
  /** For what is computed from the sound here. */
  readonly turns: EventLoopQueue;
  readonly maxClipSeconds: number;
  /** Windows of one clip at most. */
  readonly maxWindows: number;
  readonly metrics: Metrics;
}

interface ClassifyOptions {
  readonly topK: number;
  /** How many of AudioSet's tags to name. */
  readonly tags: number;
  /** Step between two windows; half a window unless given. */
  readonly hopSeconds?: number | undefined;
  /** Undefined: no events. */
  readonly events?: EventSettings | undefined;
  /** The caller on whose account it is judged (access/caller-id.ts). */
  readonly caller: string;
  readonly signal: AbortSignal;
}

export type ClassifyClip = (
  bytes: Uint8Array,
  options: ClassifyOptions,
) => Promise<Omit<Classification, 'requestId'>>;

/**
 * From an upload to its answer: decode, cut into windows, let the engine judge them, take the mean and
 * detect the events.
 * @throws AppError whatever the decoder throws; malformed-request for a hop that does not fit;
 *   overloaded; cancelled
 */
export function createClassifyClip(deps: ClassifyDeps): ClassifyClip {
  return async (bytes, options) => {
    const { model, release } = deps.lease();
    try {
      return await classifyWith(model, deps, bytes, options);
    } finally {
      release();
    }
  };
}

/** All of a clip is judged by one model, whatever is promoted meanwhile. */
async function classifyWith(
  model: ServedModel,
  deps: ClassifyDeps,
  bytes: Uint8Array,
  options: ClassifyOptions,
): Promise<Omit<Classification, 'requestId'>> {
  const format = windowFormat(model.manifest);
  const arrived = model.batcher.expect();
  const startedMs = performance.now();
  const clip = await decode(deps, bytes, format, options).finally(arrived);
  const decodeMs = performance.now() - startedMs;
  try {
    return await judgeClip(model, deps, { clip, decodeMs }, options);
  } finally {
    deps.decoder.discard(clip);
  }
}

interface Decoded {
  readonly clip: Clip;
  readonly decodeMs: number;
}

async function judgeClip(
  model: ServedModel,
  deps: ClassifyDeps,
  { clip, decodeMs }: Decoded,
  options: ClassifyOptions,
): Promise<Omit<Classification, 'requestId'>> {
  const { manifest } = model;
  const format = windowFormat(manifest);
  const { caller, signal, events, topK, tags: topTags } = options;
  const hopSeconds = options.hopSeconds ?? format.windowSeconds / 2;
  checkHop(hopSeconds, clip, format, deps.maxWindows);
  const judge = new RecordingJudge(
    clip.samples,
    { ...deps, model },
    { hopSeconds, events, topK, topTags, caller, signal },
  );
  const { overall, windows, events: heard, queueMs, inferenceMs } = await judge.judge();
  deps.decoder.recycle(clip);
  deps.metrics.queueSeconds.observe(queueMs / 1000);
  deps.metrics.predictions.inc({ class: overall.label });
  deps.metrics.predictionConfidence.observe(overall.confidence);
  return {
    model: describeModel(manifest),
    audio: clip.source,
    ...overall,
    windows,
    ...(heard && { events: heard }),
    ...(clip.warnings.length > 0 ? { warnings: [...clip.warnings] } : {}),
    timings: { decodeMs, queueMs, inferenceMs },
  };
}

async function decode(
  { decoder, maxClipSeconds, metrics }: ClassifyDeps,
  bytes: Uint8Array,
  format: WindowFormat,
  { caller, signal }: ClassifyOptions,
): Promise<Clip> {
  const stopTimer = metrics.decodeSeconds.startTimer();
  try {
    const clip = await decoder.decode(bytes, {
      sampleRate: format.sampleRate,
      removeOffset: format.removesOffset,
      maxSeconds: maxClipSeconds,
      consume: true,
      caller,
      signal,
    });
    metrics.audioSeconds.inc(clip.source.durationSeconds);
    return clip;
  } catch (caught) {
    const error = AppError.from(caught);
    metrics.countDecodeFailure(error.code, error.details['format']);
    throw error;
  } finally {
    stopTimer();
  }
}

/**
 * Before the windows are cut: a tiny hop would make an answer of too many. Half a window is always taken,
 * so that the length of a recording is limited by its own setting alone.
 * @throws AppError malformed-request
 */
function checkHop(hopSeconds: number, clip: Clip, { windowSeconds }: WindowFormat, maxWindows: number): void {
  if (hopSeconds > windowSeconds) {
    const detail = `hopSeconds is ${hopSeconds}: above the window's ${windowSeconds} s parts of the clip would go unheard.`;
    throw new AppError('malformed-request', detail);
  }
  const beyondSeconds = Math.max(0, clip.samples.length / clip.sampleRate - windowSeconds);
  const windowsAt = (hop: number): number => 1 + Math.ceil(beyondSeconds / hop);
  const most = Math.max(maxWindows, windowsAt(windowSeconds / 2));
  if (windowsAt(hopSeconds) <= most) return;
  const smallestSeconds = Math.ceil((beyondSeconds / (most - 1)) * 100) / 100;
  throw new AppError(
    'malformed-request',
    `A hop of ${hopSeconds} s cuts this clip into ${windowsAt(hopSeconds)} windows and ${most} is the most: ` +
      `use hopSeconds ${smallestSeconds} or more, or a shorter clip.`,
  );
}
