import { AppError } from '../../errors/app-error';
import type { ClipBuilder } from '../bytes/clip-builder';
import type { MkaListener, MkaTrack } from './mka-stream';
import { maxLeadSeconds, TrackClock } from '../containers/track-clock';

/**
 * MPEG clocks have 33 bits at 90 kHz; ffmpeg treats a clock that was set back as one that has wrapped.
 */
const wrapSeconds = 2 ** 33 / 90_000;
const clockWraps: ReadonlySet<string> = new Set(['mpegts', 'mpeg-ps']);

/** −80 dBFS: the level of an input with nothing connected, and inaudible. */
const silentBelow = 1e-4;
const isSilent = (samples: Float32Array): boolean =>
  samples.every((sample) => sample < silentBelow && sample > -silentBelow);

export interface TrackSoundOptions {
  readonly format: string;
  readonly codec: string;
  /** Silence before the first track of the recording, minus the shift of its timestamps. */
  readonly leadSeconds: number;
  /** Whether the track is skipped while it is silent, because another track may have the audio. */
  readonly mayBeSilent: boolean;
  readonly maxSeconds: number;
}

/**
 * Places the decoded samples of one track by their timestamps, and records whether any of them were
 * audible.
 */
export class TrackSound implements MkaListener {
  readonly #builder: ClipBuilder;
  readonly #options: TrackSoundOptions;
  #track: MkaTrack | undefined;
  #clock = new TrackClock(1);
  /** Silence held back, in samples; undefined once it was passed on. */
  #held: number | undefined = 0;

  constructor(builder: ClipBuilder, options: TrackSoundOptions) {
    this.#builder = builder;
    this.#options = options;
    if (!options.mayBeSilent) this.#held = undefined;
  }

  /** Whether samples were passed on. */
  get isHeard(): boolean {
    return this.#track !== undefined && this.#held === undefined;
  }

  /** Whether there was only silence, which was not passed on. */
  get isSilent(): boolean {
    return this.#held !== undefined && this.#held > 0;
  }

  begin(track: MkaTrack): void {
    this.#track = track;
    this.#clock = new TrackClock(
      track.sampleRate,
      clockWraps.has(this.#options.format) ? wrapSeconds : undefined,
    );
    if (this.#held === undefined) this.#begin(track);
  }

  push(channels: readonly Float32Array[], atSeconds: number): void {
    const samples = channels[0]?.length ?? 0;
    const seconds = atSeconds + this.#options.leadSeconds;
    this.#beginClock(seconds);
    const gap = this.#clock.gapBefore(seconds);
    this.#assertShort(gap);
    this.#clock.advance(gap + samples);
    if (this.#held !== undefined && channels.every(isSilent)) {
      this.#held += gap + samples;
      if (this.#isTooLong(this.#held)) this.release();
      return;
    }
    this.release();
    if (gap > 0) this.#builder.pushSilence(gap);
    this.#builder.push(channels);
  }

  /** Passes on the silence that was held back. */
  release(): void {
    const held = this.#held;
    if (held === undefined || this.#track === undefined) return;
    this.#held = undefined;
    this.#begin(this.#track);
    const { sampleRate } = this.#track;
    for (let left = held; left > 0; left -= sampleRate) {
      this.#builder.push([new Float32Array(Math.min(left, sampleRate))]);
    }
  }

  /**
   * Starts the clock. Each program of a transport stream has its own, so the start time of one tells
   * nothing about another.
   */
  #beginClock(seconds: number): void {
    if (this.#clock.seconds > 0 || !clockWraps.has(this.#options.format) || seconds <= maxLeadSeconds) return;
    this.#clock = new TrackClock(this.#track?.sampleRate ?? 1, wrapSeconds, seconds);
  }

  /**
   * Refuses a gap that makes the recording too long, with its position, because a listener would not
   * expect that length.
   */
  #assertShort(gap: number): void {
    const { maxSeconds } = this.#options;
    const [from, gapSeconds] = [this.#clock.seconds, gap / (this.#track?.sampleRate ?? 1)];
    if (gap === 0 || from + gapSeconds <= maxSeconds) return;
    throw new AppError(
      'clip-too-long',
      `The recording’s clock jumps by ${Math.round(gapSeconds)} s behind ${from.toFixed(1)} s of sound, ` +
        `so that it is longer than the ${maxSeconds} s that are taken; send the parts on their own.`,
      { details: { maxSeconds } },
    );
  }

  #begin({ sampleRate, channels }: MkaTrack): void {
    const { format, codec } = this.#options;
    this.#builder.begin({ format, codec, sampleRate, channels });
  }

  #isTooLong(samples: number): boolean {
    return samples > this.#options.maxSeconds * (this.#track?.sampleRate ?? 1);
  }
}
