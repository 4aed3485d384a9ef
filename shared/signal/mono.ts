/** Mixes channels that come in pieces, of equal length, at least one. The caller may reuse their memory afterwards. */
export type Mixer = (channels: readonly Float32Array[]) => Float32Array;

/** The powers are compared in stretches of this length. */
const stretchSeconds = 0.02;
/** How much of an average a new stretch is: together they are about 0.1 s. */
const newShare = 0.2;
/** The mix of channels that have nothing in common has their mean power divided by their number; so much less is cancellation… */
const cancelledBelow = 0.05;
/** … and this much is none any more. */
const restoredAbove = 0.2;
/** Mean square below which nothing is decided: −100 dBFS. */
const leastPower = 1e-10;

/** Power of a signal about its mean over a stretch: an offset says nothing of what is heard. */
class Power {
  #sum = 0;
  #squares = 0;
  #average: number | undefined;

  add(samples: Float32Array, from: number, to: number): void {
    // In variables of their own: V8 makes an object of each value that a field is given.
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

  /** The stretch of so many samples is over. @returns the average so far */
  average(samples: number): number {
    const power = Math.max(0, this.#squares / samples - (this.#sum / samples) ** 2);
    this.#average = this.#average === undefined ? power : this.#average + newShare * (power - this.#average);
    this.#sum = 0;
    this.#squares = 0;
    return this.#average;
  }
}

/** Whether the channels cancel each other, stretch by stretch, and which is the loudest. */
class Cancellation {
  readonly #channels: readonly Power[];
  readonly #mix = new Power();
  /** The channel that is heard instead of the mix; undefined while the mix is. */
  instead: number | undefined;

  constructor(channels: number) {
    this.#channels = Array.from({ length: channels }, () => new Power());
  }

  add(channels: readonly Float32Array[], mix: Float32Array, from: number, to: number): void {
    this.#channels.forEach((power, channel) => {
      power.add(channels[channel]!, from, to);
    });
    this.#mix.add(mix, from, to);
  }

  endStretch(samples: number): void {
    const powers = this.#channels.map((channel) => channel.average(samples));
    const mix = this.#mix.average(samples) * powers.length;
    const mean = powers.reduce((sum, power) => sum + power, 0) / powers.length;
    if (mean < leastPower) return;
    if (this.instead === undefined && mix < cancelledBelow * mean)
      this.instead = powers.indexOf(Math.max(...powers));
    else if (this.instead !== undefined && mix > restoredAbove * mean) this.instead = undefined;
  }
}

/** The mean of each moment's samples. */
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
 * One channel from many: the mean of each moment's samples. Where that cancels what the channels hear (one of them has its sign
 * changed, as a wrongly wired microphone has), the loudest of them is heard instead, from the next stretch of 20 ms on and faded
 * over another. The output is the same however the input is cut; without cancellation it is the mean, to the bit.
 */
export function createMixer(sampleRate: number): Mixer {
  const stretch = Math.max(1, Math.round(stretchSeconds * sampleRate));
  let state = new Cancellation(0);
  let channelCount = 0;
  let position = 0;
  /** Of the channel beside the mix, at the beginning of the stretch and at its end. */
  let share = { channel: 0, from: 0, to: 0 };

  function endStretch(): void {
    state.endStretch(stretch);
    position = 0;
    const to = state.instead === undefined ? 0 : 1;
    share = { channel: state.instead ?? share.channel, from: share.to, to };
  }

  /** Puts the channel in the place of the mix, as far as the share says. */
  function fadeOver(channel: Float32Array, mix: Float32Array, from: number, to: number): void {
    for (let index = from; index < to; index += 1) {
      const weight = share.from + ((share.to - share.from) * (position + index - from)) / stretch;
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
      const to = Math.min(mono.length, from + stretch - position);
      state.add(channels, mono, from, to);
      if (share.from + share.to > 0) fadeOver(channels[share.channel]!, mono, from, to);
      position += to - from;
      from = to;
      if (position === stretch) endStretch();
    }
    return mono;
  };
}
