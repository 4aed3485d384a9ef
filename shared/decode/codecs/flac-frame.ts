import { BitReader } from '../bytes/bit-reader';
import { formatError } from '../bytes/format-error';
import type { FlacFrameHeader, FlacStreamInfo } from './flac-header';

/**
 * A decoded FLAC frame (RFC 9639). FLAC is decoded here because the libraries for Node crash on small
 * blocks, do not scale 12 and 20 bits and cannot tell where a file is damaged. All values fit a double
 * exactly, including those of 32-bit audio.
 */

export interface FlacFrame {
  readonly channels: readonly Float32Array[];
  readonly byteLength: number;
  /** Number of multiplications of its predictors. */
  readonly products: number;
}

/** An invalid frame. The caller adds its position to the error. */
class InvalidFrame extends Error {}

const crc16Table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x8005;
  return crc;
});

function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let index = from; index < to; index += 1) {
    crc = ((crc << 8) & 0xff00) ^ crc16Table[(crc >> 8) ^ bytes[index]!]!;
  }
  return crc;
}

/** Decodes the prediction residual: partitions with one Rice parameter each (9.2.7). */
function readResidual(reader: BitReader, out: Float64Array, order: number): void {
  const method = reader.read(2);
  if (method > 1) throw new InvalidFrame('a residual of a reserved kind');
  const [parameterBits, escape] = method === 0 ? [4, 15] : [5, 31];
  const partitions = 1 << reader.read(4);
  const partitionSamples = out.length / partitions;
  if (!Number.isInteger(partitionSamples) || partitionSamples < order) {
    throw new InvalidFrame('partitions that do not fit its block');
  }
  for (let partition = 0; partition < partitions; partition += 1) {
    const from = partition === 0 ? order : partition * partitionSamples;
    const to = (partition + 1) * partitionSamples;
    const parameter = reader.read(parameterBits);
    if (parameter !== escape) {
      reader.readRice(out, from, to, parameter);
      continue;
    }
    const bits = reader.read(5);
    for (let index = from; index < to; index += 1) out[index] = bits === 0 ? 0 : reader.readSigned(bits);
  }
}

/** Coefficients of the fixed predictors of order 0 to 4 (9.2.5). */
const fixedPredictors = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

/**
 * Adds to each residual the prediction from the previous samples: Σ coefficient · sample, divided by
 * 2^shift, rounded down.
 */
function addPrediction(samples: Float64Array, coefficients: readonly number[], shift: number): void {
  const order = coefficients.length;
  const scale = 2 ** -shift;
  const weights = Float64Array.from(coefficients);
  for (let index = order; index < samples.length; index += 1) {
    let sum = 0;
    for (let lag = 0; lag < order; lag += 1) sum += weights[lag]! * samples[index - 1 - lag]!;
    samples[index] = samples[index]! + Math.floor(sum * scale);
  }
}

function readWarmUp(reader: BitReader, samples: Float64Array, order: number, bits: number): void {
  if (order > samples.length) throw new InvalidFrame('a predictor longer than its block');
  for (let index = 0; index < order; index += 1) samples[index] = reader.readSigned(bits);
}

function readFixed(reader: BitReader, samples: Float64Array, order: number, bits: number): void {
  readWarmUp(reader, samples, order, bits);
  readResidual(reader, samples, order);
  addPrediction(samples, fixedPredictors[order]!, 0);
}

function readLinear(reader: BitReader, samples: Float64Array, order: number, bits: number): void {
  readWarmUp(reader, samples, order, bits);
  const precision = reader.read(4) + 1;
  const shift = reader.readSigned(5);
  if (precision === 16 || shift < 0) throw new InvalidFrame('a predictor of a reserved kind');
  const coefficients = Array.from({ length: order }, () => reader.readSigned(precision));
  readResidual(reader, samples, order);
  addPrediction(samples, coefficients, shift);
}

/**
 * Reads the samples of a subframe.
 * @returns the order of its predictor
 */
function readSamples(reader: BitReader, samples: Float64Array, kind: number, bits: number): number {
  if (kind === 0) samples.fill(reader.readSigned(bits));
  else if (kind === 1) readWarmUp(reader, samples, samples.length, bits);
  else if (kind >= 8 && kind <= 12) {
    readFixed(reader, samples, kind - 8, bits);
    return kind - 8;
  } else if (kind >= 32) {
    readLinear(reader, samples, kind - 31, bits);
    return kind - 31;
  } else throw new InvalidFrame('a subframe of a reserved kind');
  return 0;
}

/**
 * Reads one channel of a frame (9.2).
 * @returns the order of its predictor
 */
function readSubframe(reader: BitReader, samples: Float64Array, frameBits: number): number {
  if (reader.read(1) !== 0) throw new InvalidFrame('a subframe that does not begin with 0');
  const kind = reader.read(6);
  const wasted = reader.read(1) === 0 ? 0 : reader.readUnary() + 1;
  const bits = frameBits - wasted;
  if (bits < 1) throw new InvalidFrame('more unused bits than it has');
  const order = readSamples(reader, samples, kind, bits);
  if (wasted === 0) return order;
  for (let index = 0; index < samples.length; index += 1) samples[index]! *= 2 ** wasted;
  return order;
}

/** Restores left and right from the stored pair, such as middle and side (9.2.3). */
function restoreStereo([first, second]: readonly [Float64Array, Float64Array], assignment: number): void {
  for (let index = 0; index < first.length; index += 1) {
    const a = first[index]!;
    const b = second[index]!;
    if (assignment === 8) {
      second[index] = a - b;
    } else if (assignment === 9) {
      first[index] = a + b;
    } else {
      const middle = 2 * a + (Math.abs(b) % 2); // the dropped lowest bit of the middle equals that of the side
      first[index] = (middle + b) / 2;
      second[index] = (middle - b) / 2;
    }
  }
}

function readSubframes(
  reader: BitReader,
  header: FlacFrameHeader,
  bits: number,
): Pick<FlacFrame, 'products'> & { readonly decoded: Float64Array[] } {
  const { assignment, blockSamples } = header;
  const count = assignment < 8 ? assignment + 1 : 2;
  const sideChannel = assignment < 8 ? -1 : assignment === 9 ? 0 : 1;
  let products = 0;
  const decoded = Array.from({ length: count }, (_, channel) => {
    const samples = new Float64Array(blockSamples);
    // The difference of two channels needs one bit more than either.
    if (!reader.isExhausted) {
      products += blockSamples * readSubframe(reader, samples, channel === sideChannel ? bits + 1 : bits);
    }
    return samples;
  });
  return { decoded, products };
}

/** Scales integers of `bits` bits to [−1, 1). */
function toUnit(samples: Float64Array, bits: number): Float32Array {
  const scale = 2 ** (1 - bits);
  const out = new Float32Array(samples.length);
  for (let index = 0; index < out.length; index += 1) out[index] = samples[index]! * scale;
  return out;
}

function assertMatches(
  { sampleRate, assignment }: FlacFrameHeader,
  info: FlacStreamInfo,
  fileOffset: number,
): void {
  const channels = assignment < 8 ? assignment + 1 : 2;
  if (channels !== info.channels)
    throw formatError('FLAC', fileOffset, 'a frame has other channels than STREAMINFO says');
  if (sampleRate !== undefined && sampleRate !== info.sampleRate) {
    throw formatError('FLAC', fileOffset, 'a frame has another sample rate than STREAMINFO says');
  }
}

/**
 * Decodes the frame whose header stands at `at` (`fileOffset` in the file).
 * @returns undefined when the bytes end within the frame
 * @throws AppError undecodable-audio for an invalid frame, or one that differs from STREAMINFO
 */
export function decodeFlacFrame(
  bytes: Uint8Array,
  at: number,
  fileOffset: number,
  header: FlacFrameHeader,
  info: FlacStreamInfo,
): FlacFrame | undefined {
  assertMatches(header, info, fileOffset);
  const bits = header.bitsPerSample ?? info.bitsPerSample;
  const reader = new BitReader(bytes, at + header.headerBytes);
  let subframes: ReturnType<typeof readSubframes>;
  try {
    subframes = readSubframes(reader, header, bits);
  } catch (error) {
    if (!(error instanceof InvalidFrame)) throw error;
    throw formatError('FLAC', fileOffset, `a frame has ${error.message}`);
  }
  const end = reader.byteOffset + 2;
  if (end > bytes.length) return undefined;
  if (crc16(bytes, at, end) !== 0)
    throw formatError('FLAC', fileOffset, 'a frame does not match its checksum');
  const { decoded, products } = subframes;
  const [first, second] = decoded;
  if (header.assignment >= 8) restoreStereo([first!, second!], header.assignment);
  return { channels: decoded.map((samples) => toUnit(samples, bits)), byteLength: end - at, products };
}
