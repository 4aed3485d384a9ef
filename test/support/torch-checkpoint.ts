import { crc32 } from 'node:zlib';

/** A tensor of a made checkpoint. */
export interface MadeTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A `.pt` file as torch.save lays it out (a stored zip, protocol 2), written without PyTorch. */
export function torchCheckpoint(tensors: Readonly<Record<string, MadeTensor>>): Buffer {
  const entries = Object.entries(tensors);
  return storedZip([
    ['archive/data.pkl', statePickle(entries)],
    ...entries.map(([, { values }], index): readonly [string, Buffer] => [
      `archive/data/${index}`,
      Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    ]),
    ['archive/version', Buffer.from('3\n')],
  ]);
}

/** The pickle of a dictionary from names to tensors, tensor `i` in member `i`. */
export function statePickle(entries: readonly (readonly [string, MadeTensor])[]): Buffer {
  const items = entries.map(([name, { shape, values }], index) => {
    const strides = shape.map((_, axis) =>
      shape.slice(axis + 1).reduce((product, size) => product * size, 1),
    );
    const storage = [
      ...[mark, text('storage'), global('torch', 'FloatStorage'), text(String(index)), text('cpu')],
      ...[int(values.length), tuple, opcode(0x51)],
    ];
    return [
      ...[text(name), global('torch._utils', '_rebuild_tensor_v2'), mark, ...storage, int(0)],
      ...[mark, ...shape.map(int), tuple, mark, ...strides.map(int), tuple, opcode(0x89)],
      ...[global('collections', 'OrderedDict'), opcode(0x29), opcode(0x52), tuple, opcode(0x52)],
    ];
  });
  const dictionary = [opcode(0x7d), mark, ...items.flat(), opcode(0x75)];
  return Buffer.concat([Buffer.of(0x80, 2), ...dictionary, opcode(0x2e)]);
}

const mark = Buffer.of(0x28);
const tuple = Buffer.of(0x74);

function opcode(code: number): Buffer {
  return Buffer.of(code);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.alloc(5, 0x58);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(5, 0x4a);
  bytes.writeInt32LE(value, 1);
  return bytes;
}

export function global(module: string, name: string): Buffer {
  return Buffer.from(`c${module}\n${name}\n`);
}

/** A zip archive of which nothing is compressed. */
export function storedZip(members: readonly (readonly [string, Buffer])[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of members) {
    const nameBytes = Buffer.from(name);
    const checksum = crc32(content);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(nameBytes.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt32LE(checksum, 16);
    central.writeUInt32LE(content.length, 20);
    central.writeUInt32LE(content.length, 24);
    central.writeUInt16LE(nameBytes.length, 28);
    central.writeUInt32LE(offset, 42);
    locals.push(local, nameBytes, content);
    directory.push(central, nameBytes);
    offset += local.length + nameBytes.length + content.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...directory, end]);
}
