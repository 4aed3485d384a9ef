import type { FilterDesigner } from '../../../../shared/signal/filter-designer';
import type { ResampleFilter } from '../../../../shared/signal/resample-filter';
import type { FullScaleEvent, SignalStage } from '../../../../shared/signal/full-scale-guard';
import { reducedRatio, type ResampleArithmetic } from '../../../../shared/signal/resample';
import { createSignalPath } from '../../../../shared/signal/signal-path';
import type { Piece } from '../../../../shared/decode/stream/stream-decoder';
import type { EventLoopQueue } from '../../../../shared/batching/event-loop-queue';

export interface StreamResamplerOptions {
  readonly filters: FilterDesigner;
  readonly turns: EventLoopQueue;
  /** The account (access/caller-id.ts). */
  readonly caller: string;
  readonly signal: AbortSignal;
  readonly arithmetic: () => ResampleArithmetic | undefined;
  /** Whether the present model's front end removes a constant offset. */
  readonly removeOffset: () => boolean;
  readonly onFullScale: (event: FullScaleEvent) => void;
}

/**
 * Converts one stream's sound to the model's rate and conditions it (see createSignalPath). The rate of
 * the sound and the model may change at any time.
 */
export class StreamResampler {
  readonly #options: StreamResamplerOptions;
  #current: { readonly fromHz: number; readonly signal: SignalStage } | undefined;

  constructor(options: StreamResamplerOptions) {
    this.#options = options;
  }

  /**
   * Converts a piece of sound when it is this caller's turn.
   * @param toHz the model's rate, read again in that turn
   * @param take receives the samples in that turn; not called if the stream has ended meanwhile
   */
  async push(piece: Piece, toHz: () => number, take: (samples: Float32Array) => void): Promise<void> {
    const { turns, caller, signal } = this.#options;
    for (let done = false; !done && !signal.aborted;) {
      const filter = await this.#filterFor(piece.sampleRate, toHz());
      done = await turns.run(caller, () => signal.aborted || this.#resample(piece, toHz(), filter, take));
    }
  }

  /** Returns the samples that the filters still hold. Further sound starts with fresh filters. */
  finish(): Float32Array {
    const rest = this.#current?.signal.finish() ?? new Float32Array(0);
    this.#current = undefined;
    return rest;
  }

  /** Designs the filter for a change of rate; undefined where none is needed. */
  async #filterFor(fromHz: number, toHz: number): Promise<ResampleFilter | undefined> {
    if (this.#current?.fromHz === fromHz || fromHz === toHz) return undefined;
    const { filters, caller, signal } = this.#options;
    return filters.design(fromHz, toHz, caller, signal);
  }

  /** @returns false if the model's rate has changed, so that the filter is not for it */
  #resample(
    { sampleRate: fromHz, samples }: Piece,
    toHz: number,
    filter: ResampleFilter | undefined,
    take: (samples: Float32Array) => void,
  ): boolean {
    if (this.#current?.fromHz !== fromHz) {
      const wanted = fromHz === toHz ? undefined : reducedRatio(fromHz, toHz);
      if (wanted?.up !== filter?.up || wanted?.down !== filter?.down) return false;
      if (this.#current !== undefined) take(this.#current.signal.finish());
      const { arithmetic, removeOffset, onFullScale: tell } = this.#options;
      const rates = { fromHz, toHz, arithmetic: arithmetic(), filter };
      this.#current = {
        fromHz,
        signal: createSignalPath({ ...rates, removeOffset: removeOffset(), onEvent: tell }),
      };
    }
    take(this.#current.signal.push(samples));
    return true;
  }
}
