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
import { removesOffset } from '../../../shared/contracts/front-end';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { DoneMessage, StartMessage } from '../../../shared/contracts/stream';
import type { KernelsChoice } from '../../../shared/compute/kernels/kernels-addon';
import { nativeResampling } from '../../../shared/compute/kernels/native-resampling';
import { AppError } from '../../../shared/errors/app-error';
import type { Metrics } from '../../../shared/observability/metrics';
import type { EventLoopQueue } from '../../../shared/batching/event-loop-queue';
import type { WindowObserver } from '../model/judge-windows';
import type { Lease, WindowBatcher } from '../model/loaded-model';
import { Arrivals } from './sound/arrivals';
import { AudioBacklog } from './sound/audio-backlog';
import type { Outbox } from './outbox';
import { Reporter } from './reporter';
import type { SilencePace } from './sound/silence-pace';
import { SoundClock } from './sound/sound-clock';
import { StreamLoad } from './stream-load';
import { StreamResampler } from './sound/stream-resampler';
import { fitWindow, refitWindow } from './sound/window-fit';
import { judgeStreamWindows } from './window-judge';

export interface SessionDeps {
  /** The native kernels, once they are known: they resample. */
  readonly kernels?: () => KernelsChoice | undefined;
  /** The model that answers now. @throws AppError starting */
  readonly lease: () => Lease;
  readonly observer: WindowObserver;
  readonly containers: ContainerThread;
  readonly filters: FilterDesigner;
  /** Shared by all streams. */
  readonly turns: EventLoopQueue;
  readonly silencePace: SilencePace;
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
 * cannot keep up, windows are left out instead. Everything that computes does so in pieces of a few milliseconds (see Turns).
 */
export class StreamSession {
  readonly id = randomUUID();
  readonly start: StartMessage;
  /** On whose account (access/caller-id.ts). */
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
  #room: Deferred<undefined> | undefined;
  /** Called when bytes were taken from the queue. */
  onRoom: () => void = () => undefined;

  /** @throws AppError malformed-request when the window does not suit the model */
  constructor(start: StartMessage, caller: string, outbox: Outbox, deps: SessionDeps, limits: SessionLimits) {
    const { model, release } = deps.lease();
    release();
    const { manifest } = model;
    const { frontEnd } = manifest;
    this.start = start;
    this.caller = caller;
    this.#windowSeconds = fitWindow(start, manifest);
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
      ...{ filters: deps.filters, turns: deps.turns, caller, signal: this.#work.signal },
      arithmetic: () => this.#arithmetic,
      removeOffset: () => removesOffset(this.#manifest.frontEnd),
      tell: (event) => {
        this.#reporter.limited(event);
      },
    });
    this.#windows = new SlidingWindows({
      sampleRate: frontEnd.sampleRate,
      windowSeconds: this.#windowSeconds,
      hopSeconds: start.hopSeconds,
    });
    this.#reporter = new Reporter(start, manifest, outbox, deps.metrics);
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
    return this.#backlog.bytes;
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
    this.#backlog.push(bytes, this.#deps.clock.now());
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
    this.#backlog.clear();
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
        else if (!this.#backlog.isEmpty) this.#run();
      });
  }

  async #workOff(): Promise<void> {
    await this.#backlog.workOff(async ({ bytes, arrivedMs }) => {
      // Those before it were done with: there is room.
      this.onRoom();
      await this.#hearAll(this.#decoder.push(bytes), arrivedMs);
    });
    this.onRoom();
    if (this.#ending !== undefined && !this.#work.signal.aborted) await this.#finish(this.#ending);
  }

  /** A small message can hold hours of sound: when the stream is over, nobody waits for it any more. */
  async #hearAll(pieces: AsyncGenerator<Piece, void, undefined>, arrivedMs: number): Promise<void> {
    while (!this.#work.signal.aborted) {
      const next = await this.#turn(() => pieces.next());
      if (next.done === true) return;
      await this.#hear(next.value, arrivedMs);
    }
    await pieces.return();
  }

  /** Does a piece of work when it is this caller's turn. */
  #turn<T>(piece: () => T): Promise<Awaited<T>> {
    return this.#deps.turns.run(this.caller, piece) as Promise<Awaited<T>>;
  }

  async #finish(reason: DoneMessage['reason']): Promise<void> {
    const nowMs = this.#deps.clock.now();
    await this.#hearAll(this.#decoder.finish(), nowMs);
    this.#take(this.#resampler.finish(), nowMs);
    await this.#judging;
    await this.#judgeWith(() => {
      const last = this.#windows.finish();
      return Promise.resolve(last === undefined ? [] : [last]);
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
    return this.#soundClock.aheadSeconds > aheadSeconds;
  }

  async #hear(piece: Piece, arrivedMs: number): Promise<void> {
    const toHz = (): number => this.#manifest.frontEnd.sampleRate;
    await this.#resampler.push(piece, toHz, (samples) => {
      this.#take(samples, arrivedMs);
    });
    const { metrics } = this.#deps;
    const seconds = piece.samples.length / piece.sampleRate;
    this.#soundClock.hear(seconds);
    this.load.hear(seconds);
    metrics.streamAudioSeconds.inc(seconds);
    metrics.streamClippedSeconds.inc(clippedShare(piece.samples) * seconds);
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
    const next = async (): Promise<SlidingWindow[]> => {
      this.#leaveOutTheLate();
      const windows: SlidingWindow[] = [];
      while (windows.length < windowsAtOnce) {
        const window = await this.#turn(() => this.#windows.take());
        if (window === undefined) break;
        windows.push(window);
      }
      return windows;
    };
    while (!this.#work.signal.aborted && (await this.#judgeWith(next))) this.#room?.resolve(undefined);
  }

  /** Judges what `take` gives with the model that answers now. @returns whether there was anything */
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

  /** What was heard and not judged yet goes to the new model, at its rate. @throws AppError conflict when it hears too little at once */
  #changeModel(manifest: Manifest): void {
    const { sampleRate: fromHz } = this.#manifest.frontEnd;
    const { sampleRate: toHz } = manifest.frontEnd;
    const windowSeconds = refitWindow(this.start, this.#windowSeconds, manifest);
    if (removesOffset(manifest.frontEnd) !== removesOffset(this.#manifest.frontEnd))
      this.#windows.push(this.#resampler.finish());
    if (fromHz !== toHz || windowSeconds !== this.#windowSeconds) {
      this.#windows.push(this.#resampler.finish());
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
    const { signal } = this.#work;
    const { sampleRate } = this.#manifest.frontEnd;
    const arrivals = group.map(({ endSeconds }) => this.#arrivals.take(Math.round(endSeconds * sampleRate)));
    const submit = (windows: readonly Float32Array[]): ReturnType<WindowBatcher['submit']> => {
      this.load.judge(group.length, windows.length);
      return batcher.submit(windows, { signal, lane: 'stream', caller: this.caller });
    };
    const judgements = await judgeStreamWindows(group, this, {
      manifest: this.#manifest,
      submit,
      ...this.#deps,
    });
    const silent = judgements.filter(({ judgement }) => judgement === undefined).length;
    if (this.#isAhead && silent > 0) await this.#deps.silencePace.pass(silent, signal);
    const nowMs = this.#deps.clock.now();
    for (const [index, judgement] of judgements.entries()) {
      if (signal.aborted) return;
      await this.#turn(() => {
        this.#reporter.report(judgement, Math.max(0, nowMs - (arrivals[index] ?? nowMs)));
      });
    }
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
