/**
 * Writes FLAC files without prediction (verbatim subframes), of any depth and stereo coding: what
 * encoders at hand cannot.
 */

export interface FlacOptions {
  readonly sampleRate: number;
  readonly bitsPerSample: number;
  /** How two channels are sent; independently unless said otherwise. */
  readonly stereo?: 'left-side' | 'side-right' | 'mid-side';
  /** Low bits that are zero in every sample and not sent. */
  readonly wastedBits?: number;
  readonly blockSamples?: number;
}

class BitWriter {
  readonly #bits: number[] = [];

  /** The low `bits` of a whole number, two's complement if negative. */
  write(value: number, bits: number): this {
    const whole = BigInt.asUintN(bits, BigInt(value));
    for (let bit = bits - 1; bit >= 0; bit -= 1) this.#bits.push(Number((whole >> BigInt(bit)) & 1n));
    return this;
  }

  toBuffer(): Buffer {
    const bytes = Buffer.alloc(Math.ceil(this.#bits.length / 8));
    this.#bits.forEach((bit, index) => {
      bytes[index >> 3]! |= bit << (7 - (index & 7));
    });
    return bytes;
  }
}

/** A CRC by long division, bit by bit. */
function remainder(bytes: Buffer, polynomial: number, width: number): number {
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const carry = ((crc >> (width - 1)) & 1) ^ ((byte >> bit) & 1);
      crc = ((crc << 1) & (2 ** width - 1)) ^ (carry === 1 ? polynomial : 0);
    }
  }
  return crc;
}

const assignments = { 'left-side': 8, 'side-right': 9, 'mid-side': 10 } as const;

/** The two signals that stand for left and right, and which of them needs a bit more. */
function recode(
  stereo: NonNullable<FlacOptions['stereo']>,
  [left, right]: readonly [readonly number[], readonly number[]],
): { channels: readonly number[][]; side: number } {
  const side = left.map((sample, index) => sample - right[index]!);
  if (stereo === 'left-side') return { channels: [[...left], side], side: 1 };
  if (stereo === 'side-right') return { channels: [side, [...right]], side: 0 };
  const middle = left.map((sample, index) => Math.floor((sample + right[index]!) / 2));
  return { channels: [middle, side], side: 1 };
}

function frame(number: number, channels: readonly (readonly number[])[], options: FlacOptions): Buffer {
  const { bitsPerSample, stereo, wastedBits = 0 } = options;
  const depthCode =
    ({ 8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7 } as Record<number, number>)[bitsPerSample] ?? 0;
  const samples = channels[0]!.length;
  const coded =
    stereo === undefined
      ? { channels, side: -1 }
      : recode(stereo, channels as unknown as [readonly number[], readonly number[]]);
  const assignment = stereo === undefined ? channels.length - 1 : assignments[stereo];
  const header = new BitWriter().write(0xfff8, 16).write(7, 4).write(0, 4).write(assignment, 4);
  header.write(depthCode, 3).write(0, 1).write(number, 8);
  const start = header.write(samples - 1, 16).toBuffer();
  const body = new BitWriter();
  coded.channels.forEach((channel, index) => {
    body.write(0, 1).write(1, 6);
    if (wastedBits === 0) body.write(0, 1);
    else body.write(1, 1).write(1, wastedBits);
    const bits = bitsPerSample + (index === coded.side ? 1 : 0) - wastedBits;
    for (const sample of channel) body.write(sample / 2 ** wastedBits, bits);
  });
  const content = Buffer.concat([start, Buffer.of(remainder(start, 0x07, 8)), body.toBuffer()]);
  const crc = remainder(content, 0x8005, 16);
  return Buffer.concat([content, Buffer.of(crc >> 8, crc & 0xff)]);
}

/** A frame's number, at most 2047, as UTF-8 codes it. */
function frameNumber(number: number): Buffer {
  return number < 128 ? Buffer.of(number) : Buffer.of(0xc0 | (number >> 6), 0x80 | (number & 63));
}

/**
 * Well-formed, small, and long to decode: frames of 65,535 samples whose residuals take no bits, so that
 * nothing but the predictor has work. @param order of the predictor: 0 for one value that stands for
 * all, else up to 32
 */
export function emptyFlac(frames: number, channels: number, order: number): Buffer {
  const samples = 65_535;
  const info = new BitWriter().write(samples, 16).write(samples, 16).write(0, 24).write(0, 24);
  info
    .write(384_000, 20)
    .write(channels - 1, 3)
    .write(15, 5)
    .write(0, 36);
  const body = new BitWriter();
  for (let channel = 0; channel < channels; channel += 1) {
    body
      .write(0, 1)
      .write(order === 0 ? 0 : 31 + order, 6)
      .write(0, 1);
    for (let index = 0; index < Math.max(1, order); index += 1) body.write(1000 + index, 16);
    if (order === 0) continue;
    body.write(1, 4).write(5, 5);
    for (let index = 0; index < order; index += 1) body.write(index % 2, 2);
    // One partition, whose residuals have no bits.
    body.write(0, 2).write(0, 4).write(15, 4).write(0, 5);
  }
  const content = body.toBuffer();
  const all = Array.from({ length: frames }, (_, index) => {
    const head = new BitWriter()
      .write(0xfff8, 16)
      .write(7, 4)
      .write(0, 4)
      .write(channels - 1, 4)
      .write(0, 4);
    const start = Buffer.concat([head.toBuffer(), frameNumber(index), Buffer.of(0xff, 0xfe)]);
    const whole = Buffer.concat([start, Buffer.of(remainder(start, 0x07, 8)), content]);
    const crc = remainder(whole, 0x8005, 16);
    return Buffer.concat([whole, Buffer.of(crc >> 8, crc & 0xff)]);
  });
  const marker = [Buffer.from('fLaC'), Buffer.of(0x80, 0, 0, 34), info.toBuffer(), Buffer.alloc(16)];
  return Buffer.concat([...marker, ...all]);
}

/** Whole numbers of `bitsPerSample` bits, one array a channel, at most 128 blocks of them. */
export function flacFile(channels: readonly (readonly number[])[], options: FlacOptions): Buffer {
  const { sampleRate, bitsPerSample, blockSamples = 64 } = options;
  const samples = channels[0]!.length;
  const info = new BitWriter().write(blockSamples, 16).write(blockSamples, 16).write(0, 24).write(0, 24);
  info
    .write(sampleRate, 20)
    .write(channels.length - 1, 3)
    .write(bitsPerSample - 1, 5)
    .write(samples, 36);
  const frames: Buffer[] = [];
  for (let at = 0; at < samples; at += blockSamples) {
    const block = channels.map((channel) => channel.slice(at, at + blockSamples));
    frames.push(frame(frames.length, block, options));
  }
  return Buffer.concat([
    Buffer.from('fLaC'),
    Buffer.of(0x80, 0, 0, 34),
    info.toBuffer(),
    Buffer.alloc(16),
    ...frames,
  ]);
}
