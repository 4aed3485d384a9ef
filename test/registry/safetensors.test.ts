import { readSafetensors, writeSafetensors } from '../../shared/registry/safetensors';

/** A file as the format's description has it, written without our writer. */
function fileOf(header: unknown, data: Buffer, length?: number): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length ?? text.length));
  return Buffer.concat([size, text, data]);
}

const half = (...bits: number[]): Buffer => Buffer.from(Uint16Array.from(bits).buffer);

describe('files of tensors', () => {
  it('reads half and single precision and what is said of them', () => {
    const data = Buffer.concat([half(0x3c00, 0xc000), Buffer.from(Float32Array.of(0.1).buffer)]);
    const { tensors, metadata } = readSafetensors(
      fileOf(
        {
          __metadata__: { folds: '2,3' },
          a: { dtype: 'F16', shape: [2, 1], data_offsets: [0, 4] },
          b: { dtype: 'F32', shape: [], data_offsets: [4, 8] },
        },
        data,
      ),
    );
    expect(metadata).toEqual({ folds: '2,3' });
    expect(tensors.get('a')).toEqual({ shape: [2, 1], values: Float32Array.of(1, -2) });
    expect(tensors.get('b')).toEqual({ shape: [], values: Float32Array.of(0.1) });
  });

  it('writes what it reads, with tensors at a multiple of eight bytes', () => {
    const tensors = new Map([
      ['one', { shape: [3], values: Float32Array.of(0.5, -0.25, 1024) }],
      ['two', { shape: [1, 2], values: Float32Array.of(-1, 3) }],
    ]);
    const bytes = writeSafetensors({ tensors, metadata: { seed: '1' } });
    expect(readSafetensors(bytes)).toEqual({ tensors, metadata: { seed: '1' } });
    const header = Number(bytes.readBigUInt64LE());
    expect(header % 8).toBe(0);
    const described = JSON.parse(bytes.subarray(8, 8 + header).toString()) as Record<string, unknown>;
    expect(described['two']).toEqual({ dtype: 'F16', shape: [1, 2], data_offsets: [6, 10] });
    expect(bytes.subarray(8 + header + 6)).toEqual(half(0xbc00, 0x4200));
  });

  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['a header longer than the file', fileOf({}, Buffer.alloc(0), 999)],
    ['a header of a gigabyte', fileOf({}, Buffer.alloc(0), 2 ** 30)],
    [
      'a header that is no JSON',
      Buffer.concat([fileOf({}, Buffer.alloc(0)).subarray(0, 8), Buffer.from('{a')]),
    ],
    ['a header that is no object', fileOf(7, Buffer.alloc(0), 1)],
    ['metadata that is no object', fileOf({ __metadata__: null }, Buffer.alloc(0))],
    ['metadata that is no text', fileOf({ __metadata__: { folds: 3 } }, Buffer.alloc(0))],
    ['another type', fileOf({ a: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } }, Buffer.alloc(8))],
    [
      'a shape of negative numbers',
      fileOf({ a: { dtype: 'F16', shape: [-1], data_offsets: [0, 2] } }, half(0)),
    ],
    ['offsets beyond the end', fileOf({ a: { dtype: 'F16', shape: [2], data_offsets: [0, 4] } }, half(0))],
    [
      'offsets that do not fit the shape',
      fileOf({ a: { dtype: 'F16', shape: [3], data_offsets: [0, 4] } }, half(0, 0)),
    ],
  ])('refuses %s', (_, bytes) => {
    expect(() => readSafetensors(bytes)).toThrow('The file of tensors cannot be read');
  });
});
