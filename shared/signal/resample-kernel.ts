/**
 * The resampler's inner loop: many dot products of a signal with rows of a filter table, four numbers at
 * a time. It is WebAssembly because JavaScript has no vector instructions: a plain loop takes four to
 * six times as long, and decoding an upload consists mostly of this where there are no native kernels.
 * It is written out here, instruction by instruction, because one loop is not worth a compiler in the
 * build.
 *
 * dots(jobs, out, count, rowBytes): for each job (address of samples, address of row): *out++ = Σ
 * samples[i] · row[i]
 *
 * Every dot product is summed in the same order, so a sample does not depend on what is computed beside
 * it.
 */

const i32 = 0x7f;
const v128 = 0x7b;
const voidBlock = 0x40;

/**
 * The taps of a row must be a multiple of this: each iteration of the loop processes four vectors of
 * four.
 */
export const tapsPerStep = 16;

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const i32Const = (value: number): number[] => [0x41, ...signedLeb(value)];
const i32Load = (offset: number): number[] => [0x28, 2, offset];
const f32Store = [0x38, 2, 0];
const i32Add = 0x6a;
const i32Sub = 0x6b;
const i32LessUnsigned = 0x49;
const f32Add = 0x92;
const block = [0x02, voidBlock];
const loop = [0x03, voidBlock];
const branch = (depth: number): number[] => [0x0c, depth];
const branchIf = (depth: number): number[] => [0x0d, depth];
const end = 0x0b;
const i32IsZero = 0x45;
const v128Load = (offset: number): number[] => [0xfd, 0x00, 2, ...unsignedLeb(offset)];
const v128Zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const f32x4Add = [0xfd, 0xe4, 0x01];
const f32x4Multiply = [0xfd, 0xe6, 0x01];
const f32x4Lane = (lane: number): number[] => [0xfd, 0x1f, lane];

// The parameters, then the local variables.
const [jobs, out, count, rowBytes, samples, row, last, sum0] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const sums = [sum0, sum0 + 1, sum0 + 2, sum0 + 3];

const multiplyAdd = (sum: number, offset: number): number[] => [
  ...get(sum),
  ...[...get(samples), ...v128Load(offset)],
  ...[...get(row), ...v128Load(offset)],
  ...f32x4Multiply,
  ...f32x4Add,
  ...set(sum),
];

const advance = (local: number, bytes: number): number[] => [
  ...get(local),
  ...i32Const(bytes),
  i32Add,
  ...set(local),
];

const body = [
  ...block,
  ...loop,
  ...[...get(count), i32IsZero, ...branchIf(1)],
  ...[...get(jobs), ...i32Load(0), ...tee(samples), ...get(rowBytes), i32Add, ...set(last)],
  ...[...get(jobs), ...i32Load(4), ...set(row)],
  ...sums.flatMap((sum) => [...v128Zero, ...set(sum)]),
  ...loop,
  ...sums.flatMap((sum, index) => multiplyAdd(sum, 16 * index)),
  ...advance(row, 4 * tapsPerStep),
  ...[...get(samples), ...i32Const(4 * tapsPerStep), i32Add, ...tee(samples)],
  ...[...get(last), i32LessUnsigned, ...branchIf(0)],
  end,
  ...get(out),
  ...[...get(sums[0]!), ...get(sums[1]!), ...f32x4Add],
  ...[...get(sums[2]!), ...get(sums[3]!), ...f32x4Add],
  ...[...f32x4Add, ...set(sum0)],
  ...[...get(sum0), ...f32x4Lane(0), ...get(sum0), ...f32x4Lane(1), f32Add],
  ...[...get(sum0), ...f32x4Lane(2), ...get(sum0), ...f32x4Lane(3), f32Add],
  f32Add,
  ...f32Store,
  ...[...advance(jobs, 8), ...advance(out, 4)],
  ...[...get(count), ...i32Const(1), i32Sub, ...set(count)],
  ...branch(0),
  end,
  end,
  end,
];

function unsignedLeb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsignedLeb(value >>> 7)];
}

function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];
}

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, content: number[]): number[] => [id, ...unsignedLeb(content.length), ...content];
const code = [2, ...[3, i32], ...[4, v128], ...body];

const moduleBytes = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...section(1, [1, 0x60, 4, i32, i32, i32, i32, 0]),
  ...section(2, [1, ...text('env'), ...text('memory'), 0x02, 0x00, 0]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...text('dots'), 0, 0]),
  ...section(10, [1, ...unsignedLeb(code.length), ...code]),
]);

type Dots = (jobs: number, out: number, count: number, rowBytes: number) => void;

/** The used part of WebAssembly's types, which TypeScript provides only together with the DOM. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (
    module: object,
    imports: { env: { memory: object } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

let compiled: object | undefined;

export interface ResampleKernel {
  /** Memory for samples, filter rows, jobs and results; the addresses for `dots` point into it. */
  readonly memory: ArrayBuffer;
  /** Addresses are in bytes; `rowBytes` is a positive multiple of 64. */
  readonly dots: Dots;
}

/** Creates a kernel with at least `bytes` of memory. */
export function createResampleKernel(bytes: number): ResampleKernel {
  compiled ??= new WebAssembly.Module(moduleBytes);
  const pages = Math.ceil(bytes / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return { memory: memory.buffer, dots: exports['dots'] as Dots };
}
