import { AppError } from '../errors/app-error';
import { fromHalf, toHalf } from './half-precision';

/** Files of the format safetensors (huggingface/safetensors): a header in JSON, then the tensors' bytes. */

interface NamedTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  /** Texts by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The header begins behind its own length, 64 bits. */
const lengthBytes = 8;
/** More than the header of any file that is read here. */
const maxHeaderBytes = 1 << 20;
const metadataName = '__metadata__';
const bytesPerValue = { F16: 2, F32: 4 } as const;

/** Encodes tensors in half precision, in the order of the map. */
export function writeSafetensors({ tensors, metadata }: SafetensorsContent): Buffer {
  const header: Record<string, unknown> = { [metadataName]: metadata };
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, values }] of tensors) {
    const half = toHalf(values);
    parts.push(Buffer.from(half.buffer, half.byteOffset, half.byteLength));
    header[name] = { dtype: 'F16', shape, data_offsets: [offset, offset + half.byteLength] };
    offset += half.byteLength;
  }
  const json = JSON.stringify(header);
  // Spaces at its end align the tensors.
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / lengthBytes) * lengthBytes));
  const length = Buffer.alloc(lengthBytes);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

/**
 * Decodes a file whose tensors are in half or single precision.
 * @throws AppError invalid-checkpoint where it is damaged, or has tensors of another type
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsContent {
  const header = headerOf(bytes);
  const data = bytes.subarray(lengthBytes + header.length);
  const tensors = new Map<string, NamedTensor>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, entry] of Object.entries(header.entries)) {
    if (name === metadataName) metadata = metadataOf(entry);
    else tensors.set(name, tensorOf(name, entry, data));
  }
  return { tensors, metadata };
}

function headerOf(bytes: Uint8Array): { readonly length: number; readonly entries: Record<string, unknown> } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < lengthBytes ? 0 : Number(view.getBigUint64(0, true));
  if (length < 2 || length > maxHeaderBytes || lengthBytes + length > bytes.length) {
    throw damaged('its header is not complete');
  }
  try {
    const text = Buffer.from(bytes.subarray(lengthBytes, lengthBytes + length)).toString('utf8');
    const entries: unknown = JSON.parse(text);
    if (typeof entries !== 'object' || entries === null) throw damaged('its header is no object');
    return { length, entries: entries as Record<string, unknown> };
  } catch (cause) {
    throw cause instanceof AppError ? cause : damaged('its header is not JSON');
  }
}

function metadataOf(entry: unknown): Readonly<Record<string, string>> {
  const isTexts =
    typeof entry === 'object' &&
    entry !== null &&
    Object.values(entry).every((text) => typeof text === 'string');
  if (isTexts) return entry as Record<string, string>;
  throw damaged('what it says of its making is not understood');
}

function tensorOf(name: string, entry: unknown, data: Uint8Array): NamedTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (
    !isCounts(shape) ||
    !isCounts(offsets) ||
    offsets.length !== 2 ||
    (dtype !== 'F16' && dtype !== 'F32')
  ) {
    throw damaged(`what it says of ${name} is not understood`);
  }
  const [begin, end] = offsets as [number, number];
  const count = shape.reduce((product, size) => product * size, 1);
  if (end - begin !== count * bytesPerValue[dtype] || end > data.length) {
    throw damaged(`${name} is not complete`);
  }
  // A copy, whose offset is aligned for a typed array.
  const { buffer } = new Uint8Array(data.subarray(begin, end));
  return { shape, values: dtype === 'F16' ? fromHalf(new Uint16Array(buffer)) : new Float32Array(buffer) };
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

function damaged(problem: string): AppError {
  return new AppError('invalid-checkpoint', `The file of tensors cannot be read: ${problem}.`);
}
