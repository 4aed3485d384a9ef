/**
 * Mixes a chunk of one or more channels of equal length to mono. The caller may reuse the arrays
 * afterwards.
 */
export type Mixer = (channels: readonly Float32Array[]) => Float32Array;

/** Length of the blocks in which the powers are compared. */
const blockSeconds = 0.02;
/** Weight of a new block in the running average, which covers about 0.1 s. */
const newBlockWeight = 0.2;
/**
 * The mix of uncorrelated channels has their mean power divided by their number. Below this fraction of
 * that, the channels cancel each other.
 */
const cancelledBelow = 0.05;
/** Above this fraction they no longer do. */
const restoredAbove = 0.2;
/** Mean square below which nothing is decided: −100 dBFS. */
const minPower = 1e-10;

/** Power of a signal about its mean over a block, so that an offset does not count. */
class Power {
  #sum = 0;
  #squares = 0;
  #average: number | undefined;

  add(samples: Float32Array, from: number, to: number): void {
    // Local variables, because V8 allocates an object for each value stored in a field.
    let sum = 0;
    let squares = 0;
    for (let index = from; index < to; index += 1) {
      const sample = samples[index]!;
      sum += sample;
      squares += sample * sample;
    }
    this.#sum += sum;
    this.#squares += squares;
  }

  /**
   * Ends a block of `samples` samples.
   * @returns the running average of the power
   */
  average(samples: number): number {
    const power = Math.max(0, this.#squares / samples - (this.#sum / samples) ** 2);
    this.#average =
      this.#average === undefined ? power : this.#average + newBlockWeight * (power - this.#average);
    this.#sum = 0;
    this.#squares = 0;
    return this.#average;
  }
}

/** Detects block by block whether the channels cancel each other, and which is the loudest. */
class Cancellation {
  readonly #channels: readonly Power[];
  readonly #mix = new Power();
  /** The channel that replaces the mix; undefined while the mix is used. */
  replacement: number | undefined;

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => new Power());
  }

  add(channels: readonly Float32Array[], mix: Float32Array, from: number, to: number): void {
    this.#channels.forEach((power, channel) => {
      power.add(channels[channel]!, from, to);
    });
    this.#mix.add(mix, from, to);
  }

  endBlock(samples: number): void {
    const powers = this.#channels.map((channel) => channel.average(samples));
    const mix = this.#mix.average(samples) * powers.length;
    const mean = powers.reduce((sum, power) => sum + power, 0) / powers.length;
    if (mean < minPower) return;
    if (this.replacement === undefined && mix < cancelledBelow * mean)
      this.replacement = powers.indexOf(Math.max(...powers));
    else if (this.replacement !== undefined && mix > restoredAbove * mean) this.replacement = undefined;
  }
}

/** Returns the mean of the channels, sample by sample. */
function meanOf(channels: readonly Float32Array[]): Float32Array {
  const [first, second] = channels as readonly [Float32Array, Float32Array];
  const mono = new Float32Array(first.length);
  if (channels.length === 2) {
    for (let index = 0; index < mono.length; index += 1) mono[index] = (first[index]! + second[index]!) / 2;
    return mono;
  }
  for (let index = 0; index < mono.length; index += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels.length; channel += 1) sum += channels[channel]![index]!;
    mono[index] = sum / channels.length;
  }
  return mono;
}

/**
 * Creates a mixer of many channels to one: the mean of their samples. Where the channels cancel each
 * other (one has its sign changed by a wrongly wired microphone), the loudest one is used instead, from
 * the next block of 20 ms on and with a cross-fade of one block. The output does not depend on the chunk
 * sizes; without cancellation it is exactly the mean.
 */
export function createMixer(sampleRate: number): Mixer {
  const blockSamples = Math.max(1, Math.round(blockSeconds * sampleRate));
  let state = new Cancellation(0);
  let channelCount = 0;
  let position = 0;
  /** Share of the channel beside the mix, at the beginning and at the end of the block. */
  let share = { channel: 0, from: 0, to: 0 };

  function endBlock(): void {
    state.endBlock(blockSamples);
    position = 0;
    const to = state.replacement === undefined ? 0 : 1;
    share = { channel: state.replacement ?? share.channel, from: share.to, to };
  }

  /** Cross-fades from the mix to the channel, or back, as `share` says. */
  function fadeOver(channel: Float32Array, mix: Float32Array, from: number, to: number): void {
    for (let index = from; index < to; index += 1) {
      const weight = share.from + ((share.to - share.from) * (position + index - from)) / blockSamples;
      mix[index] = mix[index]! + weight * (channel[index]! - mix[index]!);
    }
  }

  return (channels) => {
    const [first, second] = channels;
    if (first === undefined) throw new RangeError('expected at least one channel, got none');
    if (second === undefined) return first;
    if (channels.length !== channelCount) {
      channelCount = channels.length;
      state = new Cancellation(channelCount);
      position = 0;
      share = { channel: 0, from: 0, to: 0 };
    }
    const mono = meanOf(channels);
    for (let from = 0; from < mono.length;) {
      const to = Math.min(mono.length, from + blockSamples - position);
      state.add(channels, mono, from, to);
      if (share.from + share.to > 0) fadeOver(channels[share.channel]!, mono, from, to);
      position += to - from;
      from = to;
      if (position === blockSamples) endBlock();
    }
    return mono;
  };
}
