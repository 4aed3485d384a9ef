import { AppError } from '../../errors/app-error';
import type { Clip, DecodeRequest, SourceFormat } from '../../signal/clip';
import { concatenate } from '../../signal/concatenate';
import { indexOfNonFinite } from '../../signal/finite';
import { fullScaleWarnings, type SignalStage } from '../../signal/full-scale-guard';
import { createMixer, type Mixer } from '../../signal/mono';
import type { ResampleArithmetic } from '../../signal/resample';
import { createSignalPath } from '../../signal/signal-path';
import { createWorkBudget, workNs, type WorkBudget } from './work-budget';

/** What a decoder knows of a stream before its first sample. */
interface StreamFormat extends Omit<SourceFormat, 'durationSeconds'> {
  /**
   * Samples per channel according to the header. A clip that would be too long is refused before it is
   * decoded.
   */
  readonly claimedSamples?: number;
}

/** Receives decoded samples in chunks and assembles the clip. */
export interface ClipBuilder {
  /** Starts a stream. A further call starts the next stream of a chain, which may have another rate. */
  begin(format: StreamFormat): void;
  /**
   * Adds samples: one array per channel, all of equal length. The caller may reuse the arrays
   * afterwards.
   */
  push(channels: readonly Float32Array[]): void;
  /**
   * Adds to the work that does not follow from the number of samples (work-budget.ts).
   * @throws AppError undecodable-audio when the budget is used up
   */
  readonly spend: (nanoseconds: number) => void;
  /** Adds silence in place of `samples` missing samples per channel. */
  pushSilence(samples: number): void;
  /** Samples per channel so far, over all streams. */
  readonly samples: number;
  /** Adds a warning for the sender of the recording; a repeated warning is kept once. */
  warn(sentence: string): void;
  finish(): Clip;
}

const minSampleRate = 4_000;
/** Bat recorders use up to 500 kHz. */
const maxSampleRate = 1_000_000;
/**
 * At higher rates the maximum duration shrinks in proportion, which limits the number of samples to
 * decode.
 */
const fullLengthRate = 384_000;
/** Maximum number of channels; a decoder may support fewer. */
const maxChannels = 32;

function assertUsable({ sampleRate, channels }: StreamFormat): void {
  if (!(sampleRate >= minSampleRate && sampleRate <= maxSampleRate)) {
    throw new AppError(
      'undecodable-audio',
      `The sample rate is ${sampleRate} Hz; rates from ${minSampleRate} to ${maxSampleRate} Hz are understood.`,
      { details: { sampleRate } },
    );
  }
  if (!(channels >= 1 && channels <= maxChannels)) {
    throw new AppError(
      'undecodable-audio',
      `The recording has ${channels} channels; 1 to ${maxChannels} are understood.`,
      { details: { channels } },
    );
  }
}

function assertFinite(samples: Float32Array, firstSample: number): void {
  const index = indexOfNonFinite(samples);
  if (index < 0) return;
  throw new AppError(
    'non-finite-audio',
    `Sample ${firstSample + index} is not a number or is infinite; export the recording again with finite samples.`,
    { details: { sample: firstSample + index } },
  );
}

/**
 * Builds a clip from decoded chunks. Each chunk is checked, mixed to mono and resampled when it arrives,
 * so memory holds only the clip and one chunk. The builder throws AppError undecodable-audio (rate or
 * channels), clip-too-long, non-finite-audio, empty-audio or cancelled.
 */
export function createClipBuilder(
  {
    sampleRate,
    maxSeconds,
    memory,
    signal,
    removeOffset = false,
    isCancelled = () => signal?.aborted === true,
  }: DecodeRequest,
  arithmetic?: ResampleArithmetic,
  budget: WorkBudget = createWorkBudget(Infinity),
): ClipBuilder {
  const output: Float32Array[] = [];
  let first: StreamFormat | undefined;
  let current: StreamFormat | undefined;
  let path: { readonly mix: Mixer; readonly signal: SignalStage } | undefined;
  let streamSamples = 0;
  let earlierSeconds = 0;
  let totalSamples = 0;
  const warnings = new Set<string>();

  function assertNotTooLong(samples: number, rate: number): void {
    const seconds = earlierSeconds + samples / rate;
    const takenSeconds = maxSeconds * Math.min(1, fullLengthRate / rate);
    if (seconds <= takenSeconds) return;
    const limitSeconds = Math.floor(takenSeconds * 1000) / 1000;
    throw new AppError(
      'clip-too-long',
      `The recording is longer than the ${limitSeconds} s that are taken${rate > fullLengthRate ? ` at ${rate} Hz` : ''}; send a shorter part of it.`,
      { details: { maxSeconds: limitSeconds } },
    );
  }

  function createPath(fromHz: number): NonNullable<typeof path> {
    const warnOnce = (event: 'muted' | 'rescaled'): void => {
      warnings.add(fullScaleWarnings[event]);
    };
    const signal = createSignalPath({
      fromHz,
      toHz: sampleRate,
      removeOffset,
      arithmetic,
      onEvent: warnOnce,
    });
    return { mix: createMixer(fromHz), signal };
  }

  function endStream(): void {
    if (path === undefined || current === undefined) return;
    output.push(path.signal.finish());
    earlierSeconds += streamSamples / current.sampleRate;
    streamSamples = 0;
    path = undefined;
  }

  function push(channels: readonly Float32Array[]): void {
    if (isCancelled()) throw new AppError('cancelled', 'Decoding was called off.');
    if (path === undefined || current === undefined) throw new Error('push before begin');
    const [first] = channels;
    budget.spend(
      workNs.piece + (first?.length ?? 0) * (channels.length * workNs.sample + workNs.mixedSample),
    );
    const mono = path.mix(channels);
    assertNotTooLong(streamSamples + mono.length, current.sampleRate);
    assertFinite(mono, totalSamples);
    streamSamples += mono.length;
    totalSamples += mono.length;
    output.push(path.signal.push(mono));
  }

  function emptyAudio(): AppError {
    const rates = `at ${first?.sampleRate} Hz are less than one at the ${sampleRate} Hz that are listened to`;
    const message =
      totalSamples === 0
        ? 'The recording holds no sound at all; send a longer one.'
        : `The recording is too short: its samples (${totalSamples}) ${rates}. Send a longer one.`;
    return new AppError('empty-audio', message, { details: { samples: totalSamples } });
  }

  return {
    begin(format) {
      assertUsable(format);
      budget.beginStream();
      if (current?.sampleRate !== format.sampleRate) {
        endStream();
        budget.spend(workNs.filter);
      }
      assertNotTooLong(streamSamples + (format.claimedSamples ?? 0), format.sampleRate);
      first ??= format;
      current = format;
      path ??= createPath(format.sampleRate);
    },
    push,
    spend: budget.spend,
    pushSilence(samples) {
      const { sampleRate: rate = 1 } = current ?? {};
      assertNotTooLong(streamSamples + samples, rate);
      for (let left = samples; left > 0; left -= rate) push([new Float32Array(Math.min(left, rate))]);
      warnings.add('Parts of the recording are missing; silence keeps their place.');
    },
    get samples() {
      return totalSamples;
    },
    warn(sentence) {
      warnings.add(sentence);
    },
    finish() {
      endStream();
      const samples = concatenate(
        output,
        output.reduce((sum, chunk) => sum + chunk.length, 0),
        memory,
      );
      if (first === undefined || samples.length === 0) throw emptyAudio();
      assertFinite(samples, 0);
      const { format, codec, sampleRate: rate, channels } = first;
      const source = { format, codec, sampleRate: rate, channels, durationSeconds: earlierSeconds };
      return { source, sampleRate, samples, warnings: [...warnings] };
    },
  };
}
