/**
 * A reader of the few pickle opcodes that a PyTorch state dictionary consists of (protocol 2). It builds
 * plain values and calls nothing: a global is a name, and what a file asks to call is handed to `call`,
 * which knows the names that it allows.
 */

/** A reference to a module's attribute, `torch._utils _rebuild_tensor_v2`; never looked up. */
interface PickleGlobal {
  readonly global: string;
}

export type PickleValue =
  string | number | boolean | PickleGlobal | readonly PickleValue[] | Map<PickleValue, PickleValue> | object;

export interface UnpickleHooks {
  /** The value of a persistent id. */
  readonly persistent: (id: PickleValue) => object;
  /** The result of calling a global with arguments. */
  readonly call: (callee: PickleValue, args: PickleValue) => object;
}

/** More than the largest file of its kind needs; a hostile one ends here. */
const maxValues = 100_000;

/** A file that is not such a pickle. */
export class PickleError extends Error {}

const mark = Symbol('mark');
type Stacked = PickleValue | typeof mark;

/**
 * @param bytes the pickle from its first byte to its STOP
 * @throws PickleError at an opcode that is not one of those, and at one that makes no sense where it
 *   stands
 */
export function unpickle(bytes: Uint8Array, hooks: UnpickleHooks): PickleValue {
  const machine = createMachine(bytes, hooks);
  for (let step = 0; step < maxValues; step++) {
    const opcode = machine.byte();
    if (opcode === 0x2e) return machine.pop(); // STOP
    const operation = operations[opcode];
    if (operation === undefined) throw new PickleError(`opcode ${opcode} is not expected here`);
    operation(machine);
  }
  throw new PickleError('there are too many values');
}

interface Machine {
  readonly hooks: UnpickleHooks;
  readonly memo: Map<number, PickleValue>;
  byte(): number;
  uint16(): number;
  int32(): number;
  text(lengthBytes: number): string;
  line(): string;
  push(value: Stacked): void;
  pop(): PickleValue;
  popToMark(): PickleValue[];
  top(): PickleValue;
}

function createMachine(bytes: Uint8Array, hooks: UnpickleHooks): Machine {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: Stacked[] = [];
  let at = 0;
  const take = (lengthBytes: number): number => {
    if (lengthBytes < 0 || at + lengthBytes > bytes.length) throw new PickleError('it ends too early');
    const start = at;
    at += lengthBytes;
    return start;
  };
  const pop = (): Stacked => {
    const value = stack.pop();
    if (value === undefined) throw new PickleError('a value is missing');
    return value;
  };
  const popValue = (): PickleValue => {
    const value = pop();
    if (value === mark) throw new PickleError('a mark stands where a value is expected');
    return value;
  };
  return {
    hooks,
    memo: new Map(),
    byte: () => view.getUint8(take(1)),
    uint16: () => view.getUint16(take(2), true),
    int32: () => view.getInt32(take(4), true),
    text: (lengthBytes) => {
      const start = take(lengthBytes);
      return new TextDecoder().decode(bytes.subarray(start, start + lengthBytes));
    },
    line: () => {
      const end = bytes.indexOf(0x0a, at);
      if (end < 0) throw new PickleError('it ends too early');
      const start = take(end + 1 - at);
      return new TextDecoder().decode(bytes.subarray(start, end));
    },
    push: (value) => {
      stack.push(value);
    },
    pop: popValue,
    popToMark: () => {
      const values: PickleValue[] = [];
      for (let value = pop(); value !== mark; value = pop()) values.push(value);
      return values.reverse();
    },
    top: () => {
      const value = stack.at(-1);
      if (value === undefined || value === mark) throw new PickleError('a value is missing');
      return value;
    },
  };
}

const recall = (machine: Machine, index: number): void => {
  const value = machine.memo.get(index);
  if (value === undefined) throw new PickleError(`nothing is remembered as ${index}`);
  machine.push(value);
};
const last = (count: number) => (machine: Machine) => {
  machine.push(Array.from({ length: count }, () => machine.pop()).reverse());
};

/** The operations by opcode, named as CPython's pickletools names them. */
const operations: Readonly<Record<number, (machine: Machine) => void>> = {
  // PROTO
  0x80: (machine) => {
    const protocol = machine.byte();
    if (protocol !== 2) throw new PickleError(`protocol ${protocol} is not 2`);
  },
  // EMPTY_DICT
  0x7d: (machine) => {
    machine.push(new Map());
  },
  // MARK
  0x28: (machine) => {
    machine.push(mark);
  },
  // BINPUT, LONG_BINPUT
  0x71: (machine) => void machine.memo.set(machine.byte(), machine.top()),
  0x72: (machine) => void machine.memo.set(machine.int32(), machine.top()),
  // BINGET, LONG_BINGET
  0x68: (machine) => {
    recall(machine, machine.byte());
  },
  0x6a: (machine) => {
    recall(machine, machine.int32());
  },
  // BINUNICODE
  0x58: (machine) => {
    machine.push(machine.text(machine.int32()));
  },
  // BININT1, BININT2, BININT
  0x4b: (machine) => {
    machine.push(machine.byte());
  },
  0x4d: (machine) => {
    machine.push(machine.uint16());
  },
  0x4a: (machine) => {
    machine.push(machine.int32());
  },
  // NEWTRUE, NEWFALSE
  0x88: (machine) => {
    machine.push(true);
  },
  0x89: (machine) => {
    machine.push(false);
  },
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  0x29: last(0),
  0x85: last(1),
  0x86: last(2),
  0x87: last(3),
  0x74: (machine) => {
    machine.push(machine.popToMark());
  },
  // GLOBAL
  0x63: (machine) => {
    machine.push({ global: `${machine.line()} ${machine.line()}` });
  },
  // BINPERSID
  0x51: (machine) => {
    machine.push(machine.hooks.persistent(machine.pop()));
  },
  // REDUCE
  0x52: (machine) => {
    const args = machine.pop();
    machine.push(machine.hooks.call(machine.pop(), args));
  },
  // SETITEMS
  0x75: (machine) => {
    const items = machine.popToMark();
    const target = machine.top();
    if (!(target instanceof Map) || items.length % 2 !== 0)
      throw new PickleError('items without a dictionary');
    for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!);
  },
};
