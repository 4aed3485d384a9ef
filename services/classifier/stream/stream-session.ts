import { randomUUID } from 'node:crypto';
import type { ContainerThread } from '../../../shared/audio/stream/container-thread';
import { clippedShare } from '../../../shared/audio/level';
import { createPcmDecoder } from '../../../shared/audio/stream/pcm-decoder';
import type { Piece, StreamDecoder } from '../../../shared/audio/stream/stream-decoder';
import {
  createResampler,
  resample,
  type ResampleArithmetic,
  type Resampler,
} from '../../../shared/audio/resample';
import { SlidingWindows, type SlidingWindow } from '../../../shared/audio/sliding-windows';
import type { Clock } from '../../../shared/batching/clock';
import { deferred, type Deferred } from '../../../shared/batching/deferred';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { DoneMessage, StartMessage } from '../../../shared/contracts/stream';
import type { KernelsChoice } from '../../../shared/engine/kernels-addon';
import { nativeResampling } from '../../../shared/engine/native-resampling';
import { AppError } from '../../../shared/errors/app-error';
import type { Metrics } from '../../../shared/observability/metrics';
import type { Onlooker } from '../model/heard-window';
import type { Lease, WindowBatcher } from '../model/loaded-model';
import { Arrivals } from './arrivals';
import type { Outbox } from './outbox';
import { Reporter } from './reporter';
import { fitWindow, refitWindow } from './window-fit';
import { judgeWindows } from './window-judge';

export interface SessionDeps {
  /** The native kernels, once they are known: they resample. */
  readonly kernels?: () => KernelsChoice | undefined;
  /** The model that answers now. @throws AppError starting */
  readonly lease: () => Lease;
  readonly onlooker: Onlooker;
  readonly containers: ContainerThread;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export interface SessionLimits {
  /** Audio that may wait to be judged. A sender ahead of the clock is made to wait. */
  readonly bufferedSeconds: number;
  /** A live sender's window that waited longer is left out, with those before it. */
  readonly maxLagMs: number;
}

/** Windows of one stream judged together when it is behind. */
const windowsAtOnce = 8;
/** A sender so far ahead of the clock does not send live: it can be made to wait. */
const aheadSeconds = 2;

/**
 * One stream: bytes in, messages out. It owns everything that is remembered of the stream (decoder, resampler, windows, what the
 * events hang on), knows neither sockets nor the protocol's order, and outlives a lost connection.
 *
 * Bytes wait in a queue and are worked off one after another; windows are judged beside that, in groups, one group at a time.
 * Who sends faster than real time (a file) is held up while `bufferedSeconds` wait; who sends live never is: when the engine
 * cannot keep up, windows are left out instead.
 */
export class StreamSession {
  readonly id = randomUUID();
  readonly start: StartMessage;
  readonly outbox: Outbox;
  readonly #deps: SessionDeps;
  readonly #limits: SessionLimits;
  readonly #decoder: StreamDecoder;
  #manifest: Manifest;
  #windowSeconds: number;
  #windows: SlidingWindows;
  readonly #arrivals = new Arrivals();
  readonly #reporter: Reporter;
  readonly #work = new AbortController();
  readonly #ended = deferred<undefined>();
  readonly #startedMs: number;
  #resampler: { readonly fromHz: number; readonly resampler: Resampler } | undefined;
  #queue: { readonly bytes: Uint8Array; readonly arrivedMs: number }[] = [];
  #queuedBytes = 0;
  #receivedBytes = 0;
  #working = false;
  #judging: Promise<void> | undefined;
  #ending: DoneMessage['reason'] | undefined;
  #room: Deferred<undefined> | undefined;
  /** Called when bytes were taken from the queue. */
  onRoom: () => void = () => undefined;

  /** @throws AppError malformed-request when the window does not suit the model */
  constructor(start: StartMessage, outbox: Outbox, deps: SessionDeps, limits: SessionLimits) {
    const { model, release } = deps.lease();
    release();
    const { manifest } = model;
    const { frontEnd } = manifest;
    this.start = start;
    this.#windowSeconds = fitWindow(start, manifest);
    this.outbox = outbox;
    this.#manifest = manifest;
    this.#deps = deps;
    this.#limits = limits;
    this.#startedMs = deps.clock.now();
    this.#decoder =
      start.encoding === 'container'
        ? deps.containers.open()
        : createPcmDecoder(start.encoding, start.sampleRate!, start.channels);
    this.#windows = new SlidingWindows({
      sampleRate: frontEnd.sampleRate,
      windowSeconds: this.#windowSeconds,
      hopSeconds: start.hopSeconds,
    });
    this.#reporter = new Reporter(start, manifest, outbox, deps);
    // Whoever awaits `ended` hears of it; nobody else has to.
    this.#ended.promise.catch(() => undefined);
  }

  /** The model that judges. */
  get manifest(): Manifest {
    return this.#manifest;
  }

  get windowSeconds(): number {
    return this.#windowSeconds;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Whether no more audio is taken. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Settles when `done` was sent; rejects with what ended the stream before. */
  get ended(): Promise<undefined> {
    return this.#ended.promise;
  }

  /** Audio, cut anywhere. The bytes are the session's from now on. */
  push(bytes: Uint8Array): void {
    if (this.isEnding || this.#work.signal.aborted) return;
    this.#receivedBytes += bytes.byteLength;
    this.#queuedBytes += bytes.byteLength;
    this.#queue.push({ bytes, arrivedMs: this.#deps.clock.now() });
    this.#run();
  }

  /** No more audio comes: what is there is judged, and `done` sent. */
  end(reason: DoneMessage['reason']): void {
    this.#ending ??= reason;
    this.#run();
  }

  /** Drops everything. */
  abort(reason: AppError): void {
    if (this.#work.signal.aborted) return;
    this.#work.abort(reason);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#room?.resolve(undefined);
    this.#ended.reject(reason);
    if (!this.#working) this.#decoder.close();
  }

  #run(): void {
    if (this.#working || this.#work.signal.aborted) return;
    this.#working = true;
    this.#workOff()
      .catch((error: unknown) => {
        this.abort(AppError.from(error));
      })
      .finally(() => {
        this.#working = false;
        if (this.#work.signal.aborted) this.#decoder.close();
        else if (this.#queue.length > 0) this.#run();
      });
  }

  async #workOff(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for await (const piece of this.#decoder.push(next.bytes)) {
        await this.#hear(piece, next.arrivedMs);
        // A small message can hold hours of sound: nobody waits for it any more.
        if (this.#work.signal.aborted) return;
      }
      this.#queuedBytes -= next.bytes.byteLength;
      this.onRoom();
    }
    if (this.#ending !== undefined && !this.#work.signal.aborted) await this.#finish(this.#ending);
  }

  async #finish(reason: DoneMessage['reason']): Promise<void> {
    const nowMs = this.#deps.clock.now();
    for await (const piece of this.#decoder.finish()) await this.#hear(piece, nowMs);
    if (this.#resampler !== undefined) this.#take(this.#resampler.resampler.finish(), nowMs);
    await this.#judging;
    await this.#judgeWith(() => {
      const last = this.#windows.finish();
      return last === undefined ? [] : [last];
    });
    if (this.#work.signal.aborted) return;
    this.#reporter.finish(reason, this.#heardSeconds, this.#receivedBytes);
    this.#work.abort(new AppError('cancelled', 'The stream is over.'));
    this.#ended.resolve(undefined);
  }

  get #heardSeconds(): number {
    return this.#windows.receivedSamples / this.#manifest.frontEnd.sampleRate;
  }

  /** Whether the sender sends faster than sound goes by. */
  get #isAhead(): boolean {
    return this.#heardSeconds - (this.#deps.clock.now() - this.#startedMs) / 1000 > aheadSeconds;
  }

  async #hear({ sampleRate, samples }: Piece, arrivedMs: number): Promise<void> {
    if (this.#work.signal.aborted) return;
    const { metrics } = this.#deps;
    metrics.streamAudioSeconds.inc(samples.length / sampleRate);
    metrics.streamClippedSeconds.inc((clippedShare(samples) * samples.length) / sampleRate);
    if (this.#resampler?.fromHz !== sampleRate) {
      if (this.#resampler !== undefined) this.#take(this.#resampler.resampler.finish(), arrivedMs);
      const toHz = this.#manifest.frontEnd.sampleRate;
      this.#resampler = {
        fromHz: sampleRate,
        resampler: createResampler(sampleRate, toHz, this.#arithmetic),
      };
    }
    this.#take(this.#resampler.resampler.push(samples), arrivedMs);
    while (this.#isAhead && this.#windows.waitingSeconds > this.#limits.bufferedSeconds && this.#judging) {
      this.#room = deferred<undefined>();
      await this.#room.promise;
    }
  }

  #take(samples: Float32Array, arrivedMs: number): void {
    this.#windows.push(samples);
    this.#arrivals.note(this.#windows.receivedSamples, arrivedMs);
    this.#judging ??= this.#judgeAll()
      .catch((error: unknown) => {
        this.abort(AppError.from(error));
      })
      .finally(() => {
        this.#judging = undefined;
        this.#room?.resolve(undefined);
      });
  }

  async #judgeAll(): Promise<void> {
    const next = (): SlidingWindow[] => {
      this.#leaveOutTheLate();
      return this.#windows.takeUpTo(windowsAtOnce);
    };
    while (!this.#work.signal.aborted && (await this.#judgeWith(next))) this.#room?.resolve(undefined);
  }

  /** Judges what `take` gives with the model that answers now. @returns whether there was anything */
  async #judgeWith(take: () => readonly SlidingWindow[]): Promise<boolean> {
    const { model, release } = this.#deps.lease();
    try {
      if (model.manifest !== this.#manifest) this.#changeModel(model.manifest);
      const group = take();
      if (group.length > 0) await this.#judge(group, model.batcher);
      return group.length > 0;
    } finally {
      release();
    }
  }

  get #arithmetic(): ResampleArithmetic | undefined {
    const kernels = this.#deps.kernels?.();
    return kernels && nativeResampling(kernels);
  }

  /** What was heard and not judged yet goes to the new model, at its rate. @throws AppError conflict when it hears too little at once */
  #changeModel(manifest: Manifest): void {
    const { sampleRate: fromHz } = this.#manifest.frontEnd;
    const { sampleRate: toHz } = manifest.frontEnd;
    const windowSeconds = refitWindow(this.start, this.#windowSeconds, manifest);
    if (fromHz !== toHz || windowSeconds !== this.#windowSeconds) {
      if (this.#resampler !== undefined) this.#windows.push(this.#resampler.resampler.finish());
      this.#resampler = undefined;
      this.#windows = this.#windows.continued({ sampleRate: toHz, windowSeconds }, (samples) =>
        resample(samples, fromHz, toHz, this.#arithmetic),
      );
      this.#arrivals.rescale(toHz / fromHz);
      this.#windowSeconds = windowSeconds;
    }
    this.#manifest = manifest;
    this.#reporter.changeModel(manifest);
  }

  async #judge(group: readonly SlidingWindow[], batcher: WindowBatcher): Promise<void> {
    const { clock } = this.#deps;
    const { sampleRate } = this.#manifest.frontEnd;
    const { silenceDbfs } = this.start;
    const arrivals = group.map(({ endSeconds }) => this.#arrivals.take(Math.round(endSeconds * sampleRate)));
    const judgements = await judgeWindows(group, sampleRate, silenceDbfs, batcher, this.#work.signal);
    const nowMs = clock.now();
    judgements.forEach((judgement, index) => {
      this.#reporter.report(judgement, Math.max(0, nowMs - (arrivals[index] ?? nowMs)));
    });
  }

  #leaveOutTheLate(): void {
    const { sampleRate } = this.#manifest.frontEnd;
    const nextEnd = Math.round(this.#windows.nextEndSeconds * sampleRate);
    if (nextEnd > this.#windows.receivedSamples || this.#isAhead) return;
    const arrivedMs = this.#arrivals.take(nextEnd) ?? Infinity;
    if (this.#deps.clock.now() - arrivedMs <= this.#limits.maxLagMs) return;
    const skipped = this.#windows.skip(1);
    this.#reporter.leftOut(skipped.windows, skipped.unheard);
  }
}
