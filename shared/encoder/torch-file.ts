import { AppError } from '../errors/app-error';
import { PickleError, unpickle, type PickleValue } from './unpickle';

/** A tensor of a state dictionary, row-major. */
export interface TorchTensor {
  readonly shape: readonly number[];
  /** Absent of integers, which are counters of training. */
  readonly values?: Float32Array;
}

interface Storage {
  readonly kind: 'float' | 'long';
  readonly member: string;
  readonly elements: number;
}

const elementBytes = { float: 4, long: 8 } as const;
const storageKinds: Readonly<Record<string, Storage['kind']>> = {
  'torch FloatStorage': 'float',
  'torch LongStorage': 'long',
};

/**
 * The tensors of a `.pt` file as `torch.save` writes a state dictionary: a zip archive of which nothing
 * is compressed, with a pickle that says which tensor lies in which member. Nothing of the file is run
 * (shared/encoder/unpickle.ts).
 * @throws AppError invalid-checkpoint naming what is wrong with the file
 */
export function readTorchFile(bytes: Uint8Array): ReadonlyMap<string, TorchTensor> {
  try {
    const members = readMembers(bytes);
    const pickle = [...members].find(([name]) => name.endsWith('/data.pkl'));
    if (pickle === undefined) throw damaged('it holds no data.pkl');
    const folder = pickle[0].slice(0, -'data.pkl'.length);
    const state = unpickle(pickle[1], {
      persistent: readStorage,
      call: (callee, args) => rebuild(callee, args, (name) => members.get(`${folder}data/${name}`)),
    });
    if (!(state instanceof Map)) throw damaged('it is not a state dictionary');
    return new Map(
      [...state].map(([name, tensor]) => {
        if (typeof name !== 'string' || !isTensor(tensor)) throw damaged('an entry is not a tensor');
        return [name, tensor];
      }),
    );
  } catch (cause) {
    if (cause instanceof PickleError || cause instanceof RangeError) throw damaged(cause.message, cause);
    throw cause;
  }
}

/** Tensors that the pickle made; what else it holds cannot pass for one. */
const tensors = new WeakSet<TorchTensor>();

function isTensor(value: PickleValue): value is TorchTensor {
  return typeof value === 'object' && tensors.has(value as TorchTensor);
}

function damaged(what: string, cause?: unknown): AppError {
  return new AppError('invalid-checkpoint', `The file is no PyTorch checkpoint that can be read: ${what}.`, {
    cause,
  });
}

/** Each member's bytes by its name; sizes and places are those of the central directory. */
function readMembers(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  const members = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  for (let entry = 0; entry < count; entry++) {
    if (view.getUint32(at, true) !== 0x02014b50) throw damaged('its directory is damaged');
    const method = view.getUint16(at + 10, true);
    const [packed, size] = [view.getUint32(at + 20, true), view.getUint32(at + 24, true)];
    const nameBytes = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    if (method !== 0 || packed !== size) throw damaged(`${name} is compressed`);
    members.set(name, memberBytes(bytes, view, view.getUint32(at + 42, true), size, name));
    at += 46 + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return members;
}

function memberBytes(
  bytes: Uint8Array,
  view: DataView,
  header: number,
  size: number,
  name: string,
): Uint8Array {
  if (view.getUint32(header, true) !== 0x04034b50) throw damaged(`the header of ${name} is damaged`);
  const start = header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
  if (start + size > bytes.length) throw damaged(`it ends within ${name}`);
  return bytes.subarray(start, start + size);
}

/** The place of the end-of-directory record, which a comment of at most 64 KiB may follow. */
function findEnd(view: DataView): number {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 65_535); at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  throw damaged('it is no zip archive, or its end is missing');
}

/** ("storage", torch FloatStorage, member, device, elements) */
function readStorage(id: PickleValue): Storage {
  const [tag, type, member, , elements] = tupleOf(id, 5);
  const kind = storageKinds[globalOf(type)];
  if (tag !== 'storage' || kind === undefined || typeof member !== 'string') {
    throw new PickleError('a persistent id names no storage of floats or counters');
  }
  return { kind, member, elements: sizeOf(elements) };
}

/**
 * `_rebuild_tensor_v2(storage, offset, shape, stride, requires-grad, hooks)`, and `OrderedDict()` of no
 * hooks.
 */
function rebuild(
  callee: PickleValue,
  args: PickleValue,
  memberOf: (name: string) => Uint8Array | undefined,
): object {
  const name = globalOf(callee);
  if (name === 'collections OrderedDict' && tupleOf(args, 0).length === 0) return new Map();
  if (name !== 'torch._utils _rebuild_tensor_v2') throw new PickleError(`it calls ${name}`);
  const [storage, offset, sizes, strides] = tupleOf(args, 6);
  const { kind, member, elements } = storage as Storage;
  const shape = listOf(sizes).map(sizeOf);
  const length = shape.reduce((product, size) => product * size, 1);
  const rowMajor = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const bytes = memberOf(member);
  if (offset !== 0 || elements !== length || listOf(strides).map(sizeOf).join() !== rowMajor.join()) {
    throw new PickleError('a tensor is not laid out row after row');
  }
  if (bytes?.length !== length * elementBytes[kind])
    throw new PickleError(`storage ${member} has another size`);
  const tensor: TorchTensor = kind === 'float' ? { shape, values: floatsOf(bytes) } : { shape };
  tensors.add(tensor);
  return tensor;
}

/**
 * A copy, which begins where an array of floats may; the file and every machine that this runs on are
 * little-endian.
 */
function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function globalOf(value: PickleValue | undefined): string {
  return typeof value === 'object' && 'global' in value ? value.global : 'something that is no global';
}

function listOf(value: PickleValue | undefined): readonly PickleValue[] {
  if (!Array.isArray(value)) throw new PickleError('a tuple is missing');
  return value as readonly PickleValue[];
}

function tupleOf(value: PickleValue, length: number): readonly PickleValue[] {
  const list = listOf(value);
  if (list.length !== length) throw new PickleError(`a tuple of ${length} is missing`);
  return list;
}

/** A size or a count; no tensor of these files comes near the bound. */
function sizeOf(value: PickleValue | undefined): number {
  if (typeof value !== 'number' || value < 0 || value > 1e8) throw new PickleError('a size is missing');
  return value;
}
