import { deflateRawSync } from 'node:zlib';
import { readTorchFile } from '../../shared/encoder/torch-file';
import { AppError } from '../../shared/errors/app-error';
import { createUniform } from '../../shared/runtime/random';
import { global, statePickle, storedZip, torchCheckpoint } from '../support/torch-checkpoint';

const tensors = {
  'features.0.0.weight': { shape: [2, 1, 3, 1], values: Float32Array.of(1, -2, 3, 0.5, 1e-20, -7) },
  'classifier.5.bias': { shape: [3], values: Float32Array.of(4, 5, 6) },
};

/** Why the bytes cannot be read: an error's code, or what else was thrown; undefined: they can. */
function failureOf(bytes: Uint8Array): string | undefined {
  try {
    readTorchFile(bytes);
    return undefined;
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

describe('a PyTorch checkpoint', () => {
  it('is read tensor by tensor, with their names and shapes', () => {
    const read = readTorchFile(torchCheckpoint(tensors));
    expect([...read.keys()]).toEqual(Object.keys(tensors));
    for (const [name, { shape, values }] of Object.entries(tensors)) {
      expect(read.get(name)).toEqual({ shape, values });
    }
  });

  it.each([
    ['an empty file', Buffer.alloc(0), 'no zip archive'],
    ['text', Buffer.from('Not Found'), 'no zip archive'],
    ['a zip archive of something else', storedZip([['a.txt', Buffer.from('a')]]), 'no data.pkl'],
    ['a file cut short', torchCheckpoint(tensors).subarray(0, 400), 'its end is missing'],
  ])('is not %s', (_, bytes, reason) => {
    expect(() => readTorchFile(bytes)).toThrow(reason);
  });

  it('runs nothing that the file names', () => {
    // os.system('true'), as a pickle that is meant to do harm has it.
    const call = Buffer.concat([
      ...[Buffer.of(0x80, 2), global('os', 'system'), Buffer.of(0x58, 4, 0, 0, 0), Buffer.from('true')],
      Buffer.of(0x85, 0x52, 0x2e),
    ]);
    expect(() => readTorchFile(storedZip([['archive/data.pkl', call]]))).toThrow('it calls os system');
  });

  it.each([
    ['a storage that is not in the file', (members: Map<string, Buffer>) => members.delete('archive/data/1')],
    [
      'a storage of another size',
      (members: Map<string, Buffer>) => members.set('archive/data/1', Buffer.alloc(8)),
    ],
  ])('is refused with %s', (_, change) => {
    const members = new Map<string, Buffer>([
      ['archive/data.pkl', statePickle(Object.entries(tensors))],
      ['archive/data/0', Buffer.alloc(24)],
      ['archive/data/1', Buffer.alloc(12)],
    ]);
    expect(readTorchFile(storedZip([...members])).size).toBe(2);
    change(members);
    expect(() => readTorchFile(storedZip([...members]))).toThrow('storage 1 has another size');
  });

  it('is refused where it is compressed', () => {
    const content = deflateRawSync(Buffer.alloc(100));
    const zip = storedZip([['archive/data.pkl', content]]);
    zip.writeUInt16LE(8, zip.length - 22 - 46 - 'archive/data.pkl'.length + 10);
    expect(() => readTorchFile(zip)).toThrow('archive/data.pkl is compressed');
  });

  it('with any byte changed is read or refused in words, and nothing else', () => {
    const whole = torchCheckpoint(tensors);
    const uniform = createUniform(5);
    let refused = 0;
    for (let round = 0; round < 4000; round++) {
      const bytes = Buffer.from(whole);
      for (let change = 0; change <= round % 3; change++) {
        bytes[Math.floor(uniform() * bytes.length)] = Math.floor(uniform() * 256);
      }
      const part = round % 5 === 0 ? bytes.subarray(0, Math.floor(uniform() * bytes.length)) : bytes;
      const failure = failureOf(part);
      expect(failure === undefined || failure === 'invalid-checkpoint').toBe(true);
      if (failure !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
