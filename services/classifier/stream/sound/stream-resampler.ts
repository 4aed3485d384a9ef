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
  /** On whose account. */
  readonly caller: string;
  readonly signal: AbortSignal;
  readonly arithmetic: () => ResampleArithmetic | undefined;
  /** Whether the model that hears wants a constant offset taken away. */
  readonly removeOffset: () => boolean;
  readonly tell: (event: FullScaleEvent) => void;
}

/** Brings one stream's sound to the model's rate and into shape (see createSignalPath), whatever rates it comes in and whatever model takes over meanwhile. */
export class StreamResampler {
  readonly #options: StreamResamplerOptions;
  #current: { readonly fromHz: number; readonly signal: SignalStage } | undefined;

  constructor(options: StreamResamplerOptions) {
    this.#options = options;
  }

  /**
   * @param toHz the model's rate, asked again when it is this stream's turn
   * @param take is given the samples in that turn; nobody is where the stream is over meanwhile
   */
  async push(piece: Piece, toHz: () => number, take: (samples: Float32Array) => void): Promise<void> {
    const { turns, caller, signal } = this.#options;
    for (let done = false; !done && !signal.aborted;) {
      const filter = await this.#filterFor(piece.sampleRate, toHz());
      done = await turns.run(caller, () => signal.aborted || this.#resample(piece, toHz(), filter, take));
    }
  }

  /** What was held back; the next sound begins anew. */
  finish(): Float32Array {
    const rest = this.#current?.signal.finish() ?? new Float32Array(0);
    this.#current = undefined;
    return rest;
  }

  /** Undefined where none is needed. */
  async #filterFor(fromHz: number, toHz: number): Promise<ResampleFilter | undefined> {
    if (this.#current?.fromHz === fromHz || fromHz === toHz) return undefined;
    const { filters, caller, signal } = this.#options;
    return filters.design(fromHz, toHz, caller, signal);
  }

  /** @returns false where another model, at another rate than the filter is for, has taken over */
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
      const { arithmetic, removeOffset, tell } = this.#options;
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
