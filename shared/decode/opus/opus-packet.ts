/**
 * Returns the samples of one frame at 48 kHz, by the configuration number in the first byte of a packet
 * (RFC 6716, table 2).
 */
function frameSamples(configuration: number): number {
  const milliseconds =
    configuration < 12
      ? [10, 20, 40, 60][configuration & 3]!
      : configuration < 16
        ? [10, 20][configuration & 1]!
        : [2.5, 5, 10, 20][configuration & 3]!;
  return milliseconds * 48;
}

const maxPacketSamples = 5760;
const maxFrameBytes = 1275;

/** Reads a frame's length, which takes one or two bytes (RFC 6716, section 3.2.1). */
function readLength(packet: Uint8Array, at: number): { bytes: number; next: number } | undefined {
  const first = packet[at];
  if (first === undefined) return undefined;
  if (first < 252) return { bytes: first, next: at + 1 };
  const second = packet[at + 1];
  return second === undefined ? undefined : { bytes: second * 4 + first, next: at + 2 };
}

/** Reads the padding length of a code 3 packet from `at` on, and the offset after it. */
function readPadding(packet: Uint8Array, at: number): { bytes: number; next: number } | undefined {
  let bytes = 0;
  for (let next = at; ; next += 1) {
    const size = packet[next];
    if (size === undefined) return undefined;
    bytes += size === 255 ? 254 : size;
    if (size !== 255) return { bytes, next: next + 1 };
  }
}

/** Returns the sum of the lengths of all frames but the last. */
function readLengths(
  packet: Uint8Array,
  at: number,
  count: number,
): { bytes: number; next: number } | undefined {
  let [bytes, next] = [0, at];
  for (let frame = 0; frame < count; frame += 1) {
    const length = readLength(packet, next);
    if (length === undefined || length.bytes > maxFrameBytes) return undefined;
    bytes += length.bytes;
    next = length.next;
  }
  return { bytes, next };
}

/** Returns the number of frames of a code 3 packet; undefined where its lengths are inconsistent. */
function frameCountOfCode3(packet: Uint8Array): number | undefined {
  const header = packet[1] ?? 0;
  const frames = header & 0x3f;
  if (frames === 0) return undefined;
  const padding = (header & 0x40) === 0 ? { bytes: 0, next: 2 } : readPadding(packet, 2);
  if (padding === undefined) return undefined;
  const variable = (header & 0x80) !== 0;
  const others = readLengths(packet, padding.next, variable ? frames - 1 : 0);
  if (others === undefined) return undefined;
  const left = packet.length - others.next - others.bytes - padding.bytes;
  const sharing = variable ? 1 : frames;
  return left >= 0 && left % sharing === 0 && left / sharing <= maxFrameBytes ? frames : undefined;
}

function frameCount(packet: Uint8Array): number | undefined {
  const body = packet.length - 1;
  switch (packet[0]! & 3) {
    case 0:
      return body <= maxFrameBytes ? 1 : undefined;
    case 1:
      return body % 2 === 0 && body / 2 <= maxFrameBytes ? 2 : undefined;
    case 2: {
      const first = readLength(packet, 1);
      if (first === undefined) return undefined;
      const second = packet.length - first.next - first.bytes;
      return second >= 0 && second <= maxFrameBytes ? 2 : undefined;
    }
    default:
      return frameCountOfCode3(packet);
  }
}

/**
 * Returns the number of frames of the first stream in a packet with several, whose length differs from
 * that of the packet (RFC 6716, appendix B).
 */
function frameCountOfFirstStream(packet: Uint8Array): number {
  const code = packet[0]! & 3;
  return code === 3 ? (packet[1] ?? 0) & 0x3f : code === 0 ? 1 : 2;
}

/**
 * Returns the number of samples of an Opus packet at 48 kHz; undefined for a packet that violates RFC
 * 6716, section 3.4. It is checked before decoding because the decoding time depends on the samples and
 * not on the bytes: three bytes can hold 120 ms. In a packet with several streams (surround) all have
 * the same duration, so only the first is inspected.
 */
export function opusPacketSamples(packet: Uint8Array, streamCount = 1): number | undefined {
  if (packet.length === 0) return undefined;
  const frames = streamCount === 1 ? frameCount(packet) : frameCountOfFirstStream(packet) || undefined;
  if (frames === undefined) return undefined;
  const samples = frames * frameSamples(packet[0]! >> 3);
  return samples <= maxPacketSamples ? samples : undefined;
}
