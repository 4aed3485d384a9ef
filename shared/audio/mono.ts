/** One channel from many: the mean of each moment's samples. Channels are of equal length; at least one. */
export function mixToMono(channels: readonly Float32Array[]): Float32Array {
  const [first, second] = channels;
  if (first === undefined) throw new RangeError('expected at least one channel, got none');
  if (second === undefined) return first;
  const mono = new Float32Array(first.length);
  for (let index = 0; index < mono.length; index += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels.length; channel += 1) sum += channels[channel]![index]!;
    mono[index] = sum / channels.length;
  }
  return mono;
}
