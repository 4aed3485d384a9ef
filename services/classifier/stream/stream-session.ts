import { randomUUID } from 'node:crypto';
import type { ContainerThread } from '../../../shared/decode/stream/container-thread';
import { clippedShare } from '../../../shared/signal/level';
import { createPcmDecoder } from '../../../shared/decode/stream/pcm-decoder';
import type { Piece, StreamDecoder } from '../../../shared/decode/stream/stream-decoder';
import type { FilterDesigner } from '../../../shared/signal/filter-designer';
import { resample, type ResampleArithmetic } from '../../../shared/signal/resample';
import { SlidingWindows, type SlidingWindow } from '../../../shared/signal/sliding-windows';
import type { Clock } from '../../../shared/runtime/clock';
import { deferred, type Deferred } from '../../../shared/runtime/deferred';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { DoneMessage, StartMessage } from '../../../shared/contracts/stream';
import { windowFormat, type WindowFormat } from '../../../shared/contracts/members';
import type { KernelsChoice } from '../../../shared/compute/kernels/kernels-addon';
import { nativeResampling } from '../../../shared/compute/kernels/native-resampling';
import { assertThresholdsFit } from '../../../shared/decision/event-scores';
import { AppError } from '../../../shared/errors/app-error';
import type { EventLoopQueue } from '../../../shared/batching/event-loop-queue';
import type { WindowObserver } from '../model/judge-windows';
import type { Lease, WindowBatcher } from '../model/loaded-model';
import { Arrivals } from './sound/arrivals';
import { AudioBacklog } from './sound/audio-backlog';
import type { Outbox } from './outbox';
import { Reporter, type ReporterDeps } from './reporter';
import type { SilencePace } from './sound/silence-pace';
import { SoundClock } from './sound/sound-clock';
import { StreamLoad } from './stream-load';
import { StreamResampler } from './sound/stream-resampler';
import { fitWindow, refitWindow } from './sound/window-fit';
import { judgeStreamWindows } from './window-judge';

export interface SessionDeps extends ReporterDeps {
  /** The native kernels, used for resampling; undefined until they are available. */
  readonly kernels?: () => KernelsChoice | undefined;
  /** A lease on the model that serves now. @throws AppError starting */
  readonly lease: () => Lease;
  readonly observer: WindowObserver;
  readonly containers: ContainerThread;
  readonly filters: FilterDesigner;
  /** Shared by all streams. */
  readonly turns: EventLoopQueue;
  readonly silencePace: SilencePace;
  readonly clock: Clock;
}

export interface SessionLimits {
  /** Audio that may wait to be judged. A sender faster than real time is held back beyond it. */
  readonly bufferedSeconds: number;
  /** A window of a live sender that has waited longer is skipped. */
  readonly maxLagMs: number;
}

/** Largest number of windows of one stream that are judged together. */
const maxGroupWindows = 8;
/** A sender that is further ahead of the clock does not send live, and can be held back. */
const liveAheadSeconds = 2;

/**
 * One stream: bytes in, messages out. It owns the stream's state (decoder, resampler, windows, events),
 * knows neither sockets nor the order of protocol messages, and outlives a lost connection.
 *
 * Messages with audio are queued and processed one after another. Windows are judged concurrently with
 * that, one group at a time. A sender faster than real time (a file) is held back while
 * `bufferedSeconds` wait. A live sender is never held back: when the engine cannot keep up, windows are
 * skipped instead. Computation is split into pieces of a few milliseconds, which streams run in turn
 * (see EventLoopQueue).
 */
export class StreamSession {
  readonly id = randomUUID();
  readonly start: StartMessage;
  /** The account (access/caller-id.ts). */
  readonly caller: string;
  readonly outbox: Outbox;
  readonly load: StreamLoad;
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
  readonly #soundClock: SoundClock;
  readonly #resampler: StreamResampler;
  readonly #backlog = new AudioBacklog();
  #receivedBytes = 0;
  #working = false;
  #judging: Promise<void> | undefined;
  #ending: DoneMessage['reason'] | undefined;
  #bufferRoom: Deferred<undefined> | undefined;
  /** Called when bytes were removed from the queue. */
  onQueueDrained: () => void = () => undefined;

  /** @throws AppError malformed-request when the window or a class does not suit the model */
  constructor(start: StartMessage, caller: string, outbox: Outbox, deps: SessionDeps, limits: SessionLimits) {
    const { model, release } = deps.lease();
    release();
    const { manifest } = model;
    this.start = start;
    this.caller = caller;
    this.#windowSeconds = fitWindow(start, manifest);
    if (start.events !== null) assertThresholdsFit(start.events, manifest);
    this.outbox = outbox;
    this.#manifest = manifest;
    this.#deps = deps;
    this.#limits = limits;
    this.#soundClock = new SoundClock(deps.clock);
    this.load = new StreamLoad(start.hopSeconds, deps.clock);
    this.#decoder =
      start.encoding === 'container'
        ? deps.containers.open()
        : createPcmDecoder(start.encoding, start.sampleRate!, start.channels);
    this.#resampler = new StreamResampler({
      filters: deps.filters,
      turns: deps.turns,
      caller,
      signal: this.#work.signal,
      arithmetic: () => this.#arithmetic,
      removeOffset: () => this.#format.removesOffset,
      onFullScale: (event) => {
        this.#reporter.reportFullScale(event);
      },
    });
    this.#windows = new SlidingWindows({
      sampleRate: this.#format.sampleRate,
      windowSeconds: this.#windowSeconds,
      hopSeconds: start.hopSeconds,
    });
    this.#reporter = new Reporter(start, manifest, outbox, deps);
    // Prevents an unhandled rejection where nobody awaits `ended`.
    this.#ended.promise.catch(() => undefined);
  }

  /** Manifest of the model that judges now. */
  get manifest(): Manifest {
    return this.#manifest;
  }

  get windowSeconds(): number {
    return this.#windowSeconds;
  }

  get queuedBytes(): number {
    return this.#backlog.bytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Whether further audio is ignored. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Resolves when `done` is in the outbox; rejects with the error that ended the stream earlier. */
  get ended(): Promise<undefined> {
    return this.#ended.promise;
  }

  /** Takes audio, cut at any byte. The caller must not use the bytes any more. */
  push(bytes: Uint8Array): void {
    if (this.isEnding || this.#work.signal.aborted) return;
    this.#receivedBytes += bytes.byteLength;
    this.#backlog.push(bytes, this.#deps.clock.now());
    this.#run();
  }

  /** Ends the audio: what was received is judged, then `done` is sent. */
  end(reason: DoneMessage['reason']): void {
    this.#ending ??= reason;
    this.#run();
  }

  /** Ends the stream at once and discards its audio. */
  abort(reason: AppError): void {
    if (this.#work.signal.aborted) return;
    this.#work.abort(reason);
    this.#backlog.clear();
    this.#bufferRoom?.resolve(undefined);
    this.#ended.reject(reason);
    if (!this.#working) this.#decoder.close();
  }

  #run(): void {
    if (this.#working || this.#work.signal.aborted) return;
    this.#working = true;
    this.#processBacklog()
      .catch((error: unknown) => {
        this.abort(AppError.from(error));
      })
      .finally(() => {
        this.#working = false;
        if (this.#work.signal.aborted) this.#decoder.close();
        else if (!this.#backlog.isEmpty) this.#run();
      });
  }

  async #processBacklog(): Promise<void> {
    await this.#backlog.drain(async ({ bytes, arrivedMs }) => {
      // The message before this one is done, so the queue has shrunk.
      this.onQueueDrained();
      await this.#processPieces(this.#decoder.push(bytes), arrivedMs);
    });
    this.onQueueDrained();
    if (this.#ending !== undefined && !this.#work.signal.aborted) await this.#finish(this.#ending);
  }

  /** Processes what a message decodes to, which may be hours of sound; stops when the stream is over. */
  async #processPieces(pieces: AsyncGenerator<Piece, void, undefined>, arrivedMs: number): Promise<void> {
    while (!this.#work.signal.aborted) {
      const next = await this.#runInTurn(() => pieces.next());
      if (next.done === true) return;
      await this.#processPiece(next.value, arrivedMs);
    }
    await pieces.return();
  }

  /** Runs a short piece of work when it is this caller's turn. */
  #runInTurn<T>(piece: () => T): Promise<Awaited<T>> {
    return this.#deps.turns.run(this.caller, piece) as Promise<Awaited<T>>;
  }

  async #finish(reason: DoneMessage['reason']): Promise<void> {
    const nowMs = this.#deps.clock.now();
    await this.#processPieces(this.#decoder.finish(), nowMs);
    this.#addSamples(this.#resampler.finish(), nowMs);
    await this.#judging;
    await this.#judgeWith(() => {
      const last = this.#windows.finish();
      return Promise.resolve(last === undefined ? [] : [last]);
    });
    if (this.#work.signal.aborted) return;
    this.#reporter.finish(reason, this.#receivedSeconds, this.#receivedBytes);
    this.#work.abort(new AppError('cancelled', 'The stream is over.'));
    this.#ended.resolve(undefined);
  }

  get #format(): WindowFormat {
    return windowFormat(this.#manifest);
  }

  get #receivedSeconds(): number {
    return this.#windows.receivedSamples / this.#format.sampleRate;
  }

  /** Whether the sender is faster than real time. */
  get #isAhead(): boolean {
    return this.#soundClock.aheadSeconds > liveAheadSeconds;
  }

  async #processPiece(piece: Piece, arrivedMs: number): Promise<void> {
    const toHz = (): number => this.#format.sampleRate;
    await this.#resampler.push(piece, toHz, (samples) => {
      this.#addSamples(samples, arrivedMs);
    });
    const seconds = piece.samples.length / piece.sampleRate;
    this.#soundClock.advance(seconds);
    this.load.addSound(seconds);
    this.#reporter.countSound(seconds, clippedShare(piece.samples));
    while (this.#isAhead && this.#windows.waitingSeconds > this.#limits.bufferedSeconds && this.#judging) {
      this.#bufferRoom = deferred<undefined>();
      await this.#bufferRoom.promise;
    }
  }

  #addSamples(samples: Float32Array, arrivedMs: number): void {
    this.#windows.push(samples);
    this.#arrivals.add(this.#windows.receivedSamples, arrivedMs);
    this.#judging ??= this.#judgeAll()
      .catch((error: unknown) => {
        this.abort(AppError.from(error));
      })
      .finally(() => {
        this.#judging = undefined;
        this.#bufferRoom?.resolve(undefined);
      });
  }

  async #judgeAll(): Promise<void> {
    const next = async (): Promise<SlidingWindow[]> => {
      this.#skipLateWindow();
      const windows: SlidingWindow[] = [];
      while (windows.length < maxGroupWindows) {
        const window = await this.#runInTurn(() => this.#windows.take());
        if (window === undefined) break;
        windows.push(window);
      }
      return windows;
    };
    while (!this.#work.signal.aborted && (await this.#judgeWith(next))) this.#bufferRoom?.resolve(undefined);
  }

  /**
   * Judges the windows that `take` returns with the model that serves now.
   * @returns whether there were any
   */
  async #judgeWith(take: () => Promise<readonly SlidingWindow[]>): Promise<boolean> {
    const { model, release } = this.#deps.lease();
    try {
      if (model.manifest !== this.#manifest) this.#changeModel(model.manifest);
      const group = await take();
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

  /**
   * Switches to another model. Sound that was not judged yet is converted to its sample rate.
   * @throws AppError conflict when its window is shorter than the stream's hop
   */
  #changeModel(manifest: Manifest): void {
    const { sampleRate: fromHz, removesOffset } = this.#format;
    const { sampleRate: toHz, removesOffset: willRemove } = windowFormat(manifest);
    const windowSeconds = refitWindow(this.start, this.#windowSeconds, manifest);
    if (removesOffset !== willRemove) this.#windows.push(this.#resampler.finish());
    if (fromHz !== toHz || windowSeconds !== this.#windowSeconds) {
      this.#windows.push(this.#resampler.finish());
      this.#windows = this.#windows.continueWith({ sampleRate: toHz, windowSeconds }, (samples) =>
        resample(samples, fromHz, toHz, this.#arithmetic),
      );
      this.#arrivals.rescale(toHz / fromHz);
      this.#windowSeconds = windowSeconds;
    }
    this.#manifest = manifest;
    this.#reporter.changeModel(manifest);
  }

  async #judge(group: readonly SlidingWindow[], batcher: WindowBatcher): Promise<void> {
    const { signal } = this.#work;
    const { sampleRate } = this.#format;
    const arrivals = group.map(({ endSeconds }) => this.#arrivals.take(Math.round(endSeconds * sampleRate)));
    const submit = (windows: readonly Float32Array[]): ReturnType<WindowBatcher['submit']> => {
      this.load.addWindows(group.length, windows.length);
      return batcher.submit(windows, { signal, lane: 'stream', caller: this.caller });
    };
    const options = { manifest: this.#manifest, submit, ...this.#deps };
    const judgements = await judgeStreamWindows(group, this, options);
    const silent = judgements.filter(({ judgement }) => judgement === undefined).length;
    if (this.#isAhead && silent > 0) await this.#deps.silencePace.pass(silent, signal);
    const nowMs = this.#deps.clock.now();
    for (const [index, judgement] of judgements.entries()) {
      if (signal.aborted) return;
      await this.#runInTurn(() => {
        this.#reporter.report(judgement, Math.max(0, nowMs - (arrivals[index] ?? nowMs)));
      });
    }
  }

  #skipLateWindow(): void {
    const nextEnd = Math.round(this.#windows.nextEndSeconds * this.#format.sampleRate);
    if (nextEnd > this.#windows.receivedSamples || this.#isAhead) return;
    const arrivedMs = this.#arrivals.take(nextEnd) ?? Infinity;
    if (this.#deps.clock.now() - arrivedMs <= this.#limits.maxLagMs) return;
    const skipped = this.#windows.skip(1);
    this.#reporter.reportSkipped(skipped.windows, skipped.unheard);
  }
}
