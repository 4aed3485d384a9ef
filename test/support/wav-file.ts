/**
 * Writes WAV files of every kind, sane and odd, for tests of the reader. Sample encoders are the plain
 * textbook ones.
 */

export type SampleType = 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64' | 'alaw' | 'mulaw';

export interface WavOptions {
  readonly sampleRate: number;
  readonly type: SampleType;
  /** WAVE_FORMAT_EXTENSIBLE instead of the plain header. */
  readonly extensible?: boolean;
  /** Chunks between fmt and data. */
  readonly extraChunks?: readonly Buffer[];
  /** What the data chunk claims, if not the truth. */
  readonly dataSize?: number;
  readonly rf64?: boolean;
  /** Bytes behind the data chunk. */
  readonly trailer?: Buffer;
}

const bytesOf: Readonly<Record<SampleType, number>> = {
  u8: 1,
  s16: 2,
  s24: 3,
  s32: 4,
  f32: 4,
  f64: 8,
  alaw: 1,
  mulaw: 1,
};
const tagOf: Readonly<Record<SampleType, number>> = {
  u8: 1,
  s16: 1,
  s24: 1,
  s32: 1,
  f32: 3,
  f64: 3,
  alaw: 6,
  mulaw: 7,
};

export function chunk(id: string, content: Buffer, { pad = true, size = content.length } = {}): Buffer {
  const header = Buffer.alloc(8);
  header.write(id, 'latin1');
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, content, Buffer.alloc(pad ? content.length % 2 : 0)]);
}

const { max, min, round, abs } = Math;

function quantise(value: number, bits: number): number {
  const scale = 2 ** (bits - 1);
  return max(-scale, min(scale - 1, round(value * scale)));
}

const writers: Readonly<Record<SampleType, (out: Buffer, at: number, value: number) => void>> = {
  u8: (out, at, value) => out.writeUInt8(quantise(value, 8) + 128, at),
  s16: (out, at, value) => out.writeInt16LE(quantise(value, 16), at),
  s24: (out, at, value) => out.writeIntLE(quantise(value, 24), at, 3),
  s32: (out, at, value) => out.writeInt32LE(quantise(value, 32), at),
  f32: (out, at, value) => out.writeFloatLE(value, at),
  f64: (out, at, value) => out.writeDoubleLE(value, at),
  alaw: (out, at, value) => out.writeUInt8(nearestCode(value, aLawValues), at),
  mulaw: (out, at, value) => out.writeUInt8(nearestCode(value, muLawValues), at),
};

/** G.711, A-law as in its table 1: decoder outputs on a scale of 4096. */
export function aLawValue(code: number): number {
  const bits = code ^ 0x55;
  const segment = Math.floor(bits / 16) % 8;
  const step = bits % 16;
  const level = segment === 0 ? 2 * step + 1 : 2 ** segment * (step + 16.5);
  return ((bits >= 128 ? 1 : -1) * level) / 4096;
}

/** G.711, µ-law as in its table 2: decoder outputs on a scale of 8192 (the largest is 8031). */
export function muLawValue(code: number): number {
  const bits = 255 - code;
  const segment = Math.floor(bits / 16) % 8;
  const level = 2 ** segment * (2 * (bits % 16) + 33) - 33;
  return ((bits >= 128 ? -1 : 1) * level) / 8192;
}

const codes = Array.from({ length: 256 }, (_, code) => code);
const aLawValues = codes.map(aLawValue);
const muLawValues = codes.map(muLawValue);

function nearestCode(value: number, values: readonly number[]): number {
  let best = 0;
  for (let code = 1; code < 256; code += 1) {
    if (abs(values[code]! - value) < abs(values[best]! - value)) best = code;
  }
  return best;
}

function formatChunk(channels: number, { sampleRate, type, extensible = false }: WavOptions): Buffer {
  const sampleBytes = bytesOf[type];
  const content = Buffer.alloc(extensible ? 40 : 16);
  content.writeUInt16LE(extensible ? 0xfffe : tagOf[type], 0);
  content.writeUInt16LE(channels, 2);
  content.writeUInt32LE(sampleRate, 4);
  content.writeUInt32LE(sampleRate * channels * sampleBytes, 8);
  content.writeUInt16LE(channels * sampleBytes, 12);
  content.writeUInt16LE(8 * sampleBytes, 14);
  if (extensible) {
    content.writeUInt16LE(22, 16);
    content.writeUInt16LE(8 * sampleBytes, 18);
    content.writeUInt16LE(tagOf[type], 24);
    Buffer.from('000000001000800000aa00389b71', 'hex').copy(content, 26);
  }
  return chunk('fmt ', content);
}

function ds64Chunk(dataBytes: number, samples: number): Buffer {
  const content = Buffer.alloc(28);
  content.writeBigUInt64LE(BigInt(dataBytes + 80), 0);
  content.writeBigUInt64LE(BigInt(dataBytes), 8);
  content.writeBigUInt64LE(BigInt(samples), 16);
  return chunk('ds64', content);
}

/** Channels of equal length, values in [−1, 1], as a WAV file. */
export function wavFile(channels: readonly ArrayLike<number>[], options: WavOptions): Buffer {
  const samples = channels[0]?.length ?? 0;
  const sampleBytes = bytesOf[options.type];
  const data = Buffer.alloc(samples * channels.length * sampleBytes);
  const write = writers[options.type];
  for (let index = 0; index < samples; index += 1) {
    channels.forEach((channel, place) => {
      write(data, (index * channels.length + place) * sampleBytes, channel[index] ?? 0);
    });
  }
  const rf64 = options.rf64 === true;
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    ...(rf64 ? [ds64Chunk(data.length, samples)] : []),
    formatChunk(channels.length, options),
    ...(options.extraChunks ?? []),
    chunk('data', data, { size: options.dataSize ?? (rf64 ? 0xffffffff : data.length) }),
    options.trailer ?? Buffer.alloc(0),
  ]);
  const header = Buffer.from(rf64 ? 'RF64\xff\xff\xff\xff' : 'RIFF0000', 'latin1');
  if (!rf64) header.writeUInt32LE(body.length, 4);
  return Buffer.concat([header, body]);
}
