import { AppError } from '../../../../../shared/errors/app-error';
import type { InferenceRequest, InputTensor } from './inference-request';
import type { ModelInput } from './inference-models';

/** Recordings in one request at most: they are judged on one ticket. */
const maxItems = 32;
const floatBytes = 4;

/**
 * The recordings in a request's tensor, each as an audio file whose bytes own their buffer. Samples
 * become a WAV file of floats, and go the way of all others.
 * @param input what the model takes
 * @param sampleRate Hz of the model
 * @throws AppError malformed-request
 */
export function recordingsOf(
  request: InferenceRequest,
  input: ModelInput,
  sampleRate: number,
): Uint8Array<ArrayBuffer>[] {
  const tensor = request.inputs[0]!;
  if (tensor.name !== input.name || tensor.datatype !== input.datatype) {
    throw wrong(
      `The input is ${tensor.datatype} ${JSON.stringify(tensor.name.slice(0, 80))}: ` +
        `this model takes ${input.datatype} "${input.name}".`,
    );
  }
  const { binary } = request;
  const size = tensor.parameters?.binary_data_size;
  if ((size ?? 0) !== binary.byteLength || (size === undefined) === (tensor.data === undefined)) {
    throw wrong(
      'The tensor comes either in `data`, or behind the JSON, as many bytes as its `binary_data_size` says.',
    );
  }
  if (input.datatype === 'BYTES') return filesOf(tensor, binary);
  const rate = request.parameters.sample_rate ?? sampleRate;
  return rowsOf(tensor, binary).map((row) => toWav(row, rate));
}

/** Audio files: shape [n] or [n, 1]. */
function filesOf(tensor: InputTensor, binary: Buffer): Uint8Array<ArrayBuffer>[] {
  const [count, columns = 1] = tensor.shape as [number, number?];
  assertCount(count);
  if (columns !== 1) throw wrong('The shape of "audio" is [n]: a recording each.');
  const files = tensor.data === undefined ? splitBytes(binary) : fromBase64(tensor);
  if (files.length !== count) {
    throw wrong(`The shape says ${count} recordings; the tensor has ${files.length}.`);
  }
  const empty = files.findIndex(({ byteLength }) => byteLength === 0);
  if (empty >= 0) throw wrong(`Recording ${empty} is empty: send an audio file of more than 0 bytes.`);
  return files;
}

/** Each element has its length before it, in 4 bytes (the binary extension of the protocol). */
function splitBytes(binary: Buffer): Uint8Array<ArrayBuffer>[] {
  const files: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < binary.byteLength;) {
    const length = at + 4 <= binary.byteLength ? binary.readUInt32LE(at) : Infinity;
    if (at + 4 + length > binary.byteLength || files.length >= maxItems) {
      throw wrong('The elements of the BYTES tensor are not as long as they say.');
    }
    files.push(new Uint8Array(binary.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return files;
}

function fromBase64({ data = [], parameters }: InputTensor): Uint8Array<ArrayBuffer>[] {
  if (parameters?.content_type !== 'base64') {
    throw wrong(
      'A recording is no text: send BYTES as binary data, or in base64 with the parameter "content_type": "base64".',
    );
  }
  return data.flat(1).map((text) => {
    const isBase64 = typeof text === 'string' && text.length % 4 === 0 && /^[\w+/-]*={0,2}$/.test(text);
    if (!isBase64) throw wrong('An element of `data` is not base64.');
    return new Uint8Array(Buffer.from(text, 'base64'));
  });
}

/** Mono samples: shape [samples] or [n, samples]. */
function rowsOf(tensor: InputTensor, binary: Buffer): Buffer[] {
  const { shape } = tensor;
  const [count, samples] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!];
  assertCount(count);
  const all = tensor.data === undefined ? binary : fromNumbers(tensor.data);
  if (samples === 0 || all.byteLength !== count * samples * floatBytes) {
    throw wrong(
      `The shape says ${count} times ${samples} samples; the tensor has ${all.byteLength / floatBytes}.`,
    );
  }
  const rowBytes = samples * floatBytes;
  return Array.from({ length: count }, (_, row) => all.subarray(row * rowBytes, (row + 1) * rowBytes));
}

function fromNumbers(data: readonly unknown[]): Buffer {
  const numbers = data.flat(1);
  const floats = Buffer.alloc(numbers.length * floatBytes);
  for (const [index, value] of numbers.entries()) {
    if (typeof value !== 'number') throw wrong('An element of `data` is no number.');
    floats.writeFloatLE(value, index * floatBytes);
  }
  return floats;
}

/** A WAV file of one channel of 32-bit floats. @param samples little-endian */
function toWav(samples: Buffer, sampleRate: number): Uint8Array<ArrayBuffer> {
  const headerBytes = 44;
  const bytes = new Uint8Array(headerBytes + samples.byteLength);
  const header = Buffer.from(bytes.buffer, 0, headerBytes);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(headerBytes - 8 + samples.byteLength, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(3, 20); // IEEE floats
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * floatBytes, 28);
  header.writeUInt16LE(floatBytes, 32);
  header.writeUInt16LE(8 * floatBytes, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples.byteLength, 40);
  bytes.set(samples, headerBytes);
  return bytes;
}

function assertCount(count: number): void {
  if (count >= 1 && count <= maxItems) return;
  throw wrong(`A request carries 1 to ${maxItems} recordings; the shape says ${count}.`);
}

function wrong(what: string): AppError {
  return new AppError('malformed-request', what);
}
