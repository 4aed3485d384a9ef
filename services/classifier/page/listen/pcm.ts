/** Converts samples in [−1, 1] to 16-bit little-endian PCM; larger values are clipped. */
export function toPcm16(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.round(samples[index]! * 32_768);
    view.setInt16(2 * index, Math.max(-32_768, Math.min(32_767, value)), true);
  }
  return bytes;
}
