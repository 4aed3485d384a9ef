import { concatenate } from './concatenate';
import { createResampleKernel, type ResampleKernel } from './resample-kernel';
import { designFilter, type ResampleFilter } from './resample-filter';

export interface Resampler {
  /** Takes a chunk and returns the output samples that are complete, possibly none. */
  push(chunk: Float32Array): Float32Array;
  /** Ends the signal and returns the remaining samples. Call it once. */
  finish(): Float32Array;
}

/**
 * Computes the output samples first…first+count−1. `signal` starts at the absolute input index
 * `signalStart`, with silence around it.
 */
type ComputeOutputs = (
  first: number,
  count: number,
  signal: Float32Array,
  signalStart: number,
) => Float32Array;

/**
 * An alternative implementation for a reduced ratio of output to input rate; undefined where it does not
 * support it.
 */
export type ResampleArithmetic = (
  up: number,
  down: number,
  filter: ResampleFilter,
) => ComputeOutputs | undefined;

/** What depends only on the two rates, shared by all resamplers between them. */
interface Plan {
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  readonly compute: ComputeOutputs;
}

/** The data of the WebAssembly kernel. */
interface KernelPlan {
  readonly up: number;
  readonly down: number;
  /** The rows of the filter are in the kernel's memory. */
  readonly filter: Pick<ResampleFilter, 'taps' | 'phases' | 'interpolated'>;
  readonly kernel: ResampleKernel;
  /** Output samples per call of the kernel. */
  readonly batch: number;
  readonly samples: Float32Array;
  readonly jobs: Int32Array;
  readonly results: Float32Array;
}

const maxBatch = 2048;
const batchInputSamples = 65_536;
/** Memory that a resampler keeps for the next chunk; larger memory is released. */
const maxMemorySamples = 65_536;
/**
 * Number of plans that are cached, because uploads may have any rate. The least recently used one is
 * dropped first.
 */
const maxPlans = 8;
const noArithmetic: ResampleArithmetic = () => undefined;
const plansByArithmetic = new WeakMap<ResampleArithmetic, Map<string, Plan>>();

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function createKernelPlan(up: number, down: number, filter: ResampleFilter): KernelPlan {
  const batch = Math.min(maxBatch, Math.max(1, Math.floor((batchInputSamples * up) / down)));
  const sampleCount = Math.ceil(((batch + 1) * down) / up) + filter.taps;
  const dots = filter.interpolated ? 2 * batch : batch;
  const rowsBytes = filter.rows.byteLength;
  const samplesBytes = 4 * sampleCount;
  const kernel = createResampleKernel(rowsBytes + samplesBytes + 8 * dots + 4 * dots);
  new Float32Array(kernel.memory, 0, filter.rows.length).set(filter.rows);
  const { taps, phases, interpolated } = filter;
  return {
    up,
    down,
    kernel,
    batch,
    filter: { taps, phases, interpolated },
    samples: new Float32Array(kernel.memory, rowsBytes, sampleCount),
    jobs: new Int32Array(kernel.memory, rowsBytes + samplesBytes, 2 * dots),
    results: new Float32Array(kernel.memory, rowsBytes + samplesBytes + 8 * dots, dots),
  };
}

function createPlan(up: number, down: number, arithmetic: ResampleArithmetic, filter: ResampleFilter): Plan {
  const { taps } = filter;
  const compute = arithmetic(up, down, filter);
  if (compute !== undefined) return { up, down, taps, compute };
  const plan = createKernelPlan(up, down, filter);
  return {
    up,
    down,
    taps,
    compute: (first, count, signal, signalStart) => {
      const chunks: Float32Array[] = [];
      for (let done = 0; done < count; done += plan.batch) {
        const batchCount = Math.min(plan.batch, count - done);
        chunks.push(computeBatch(plan, first + done, batchCount, signal, signalStart));
      }
      return concatenate(chunks, count);
    },
  };
}

/**
 * Returns the reduced ratio of output to input rate.
 * @throws RangeError for a rate that is not a positive integer
 */
export function reducedRatio(fromHz: number, toHz: number): { readonly up: number; readonly down: number } {
  for (const rate of [fromHz, toHz]) {
    if (!Number.isInteger(rate) || rate <= 0) {
      throw new RangeError(`expected a sample rate in whole Hz, got ${rate}`);
    }
  }
  const divisor = greatestCommonDivisor(fromHz, toHz);
  return { up: toHz / divisor, down: fromHz / divisor };
}

function planFor(
  fromHz: number,
  toHz: number,
  arithmetic: ResampleArithmetic,
  filter: ResampleFilter | undefined,
): Plan {
  const { up, down } = reducedRatio(fromHz, toHz);
  const key = `${up}/${down}`;
  const plans = plansByArithmetic.get(arithmetic) ?? new Map<string, Plan>();
  plansByArithmetic.set(arithmetic, plans);
  const plan = plans.get(key) ?? createPlan(up, down, arithmetic, filter ?? designFilter(up, down));
  plans.delete(key);
  plans.set(key, plan);
  const oldest = plans.keys().next();
  if (plans.size > maxPlans && oldest.done !== true) plans.delete(oldest.value);
  return plan;
}

function computeBatch(
  plan: KernelPlan,
  first: number,
  count: number,
  signal: Float32Array,
  signalStart: number,
): Float32Array {
  const { up, down, filter, kernel, samples, jobs, results } = plan;
  const { taps, phases, interpolated } = filter;
  const firstTap = (whole: number): number => whole - taps / 2 + 1;
  const start = firstTap(Math.floor((first * down) / up));
  const stop = firstTap(Math.floor(((first + count - 1) * down) / up)) + taps;
  // Silence before the first sample and after the last.
  const before = Math.max(0, signalStart - start);
  samples.fill(0, 0, before);
  const known = signal.subarray(start + before - signalStart, Math.max(0, stop - signalStart));
  samples.set(known, before);
  samples.fill(0, before + known.length, stop - start);

  const rowBytes = 4 * taps;
  const output = new Float32Array(count);
  let job = 0;
  for (let k = 0; k < count; k += 1) {
    const scaled = (first + k) * down;
    const whole = Math.floor(scaled / up);
    const phase = scaled - whole * up;
    const row = interpolated ? Math.floor((phase * phases) / up) : phase;
    const address = samples.byteOffset + 4 * (firstTap(whole) - start);
    jobs[job] = address;
    jobs[job + 1] = row * rowBytes;
    job += 2;
    if (!interpolated) continue;
    jobs[job] = address;
    jobs[job + 1] = (row + 1) * rowBytes;
    job += 2;
  }
  kernel.dots(jobs.byteOffset, results.byteOffset, job / 2, rowBytes);
  if (!interpolated) {
    output.set(results.subarray(0, count));
    return output;
  }
  for (let k = 0; k < count; k += 1) {
    const scaled = (first + k) * down;
    const position = ((scaled - Math.floor(scaled / up) * up) * phases) / up;
    const fraction = position - Math.floor(position);
    output[k] = results[2 * k]! + fraction * (results[2 * k + 1]! - results[2 * k]!);
  }
  return output;
}

/** Returns the number of samples that `inputSamples` become. */
function resampledLength(inputSamples: number, fromHz: number, toHz: number): number {
  return Math.round((inputSamples * toHz) / fromHz);
}

/**
 * Creates a band-limited resampler for a signal in chunks: a polyphase windowed sinc. Output sample k is
 * the signal at time k/toHz (the delay of the filter is compensated, and the signal is surrounded by
 * silence). After `finish()` there are `round(n · toHz / fromHz)` samples. The output does not depend on
 * the chunk sizes, to the bit. Equal rates pass samples through.
 * @throws RangeError for a rate that is not a positive integer
 * @param arithmetic the native kernels, where available; their output differs by at most 1e-6
 * @param filter for these rates, where it was designed elsewhere (see FilterDesigner)
 */
export function createResampler(
  fromHz: number,
  toHz: number,
  arithmetic: ResampleArithmetic = noArithmetic,
  filter?: ResampleFilter,
): Resampler {
  const { up, down, taps, compute } = planFor(fromHz, toHz, arithmetic, filter);
  // The history is at the beginning of the memory, and the next chunks follow it.
  let memory: Float32Array = new Float32Array(0);
  let historyLength = 0;
  let historyStart = 0;
  let received = 0;
  let produced = 0;

  function remember(chunk: Float32Array): void {
    const length = historyLength + chunk.length;
    if (length > memory.length) memory = concatenate([memory.subarray(0, historyLength)], length);
    memory.set(chunk, historyLength);
    historyLength = length;
  }

  function produce(until: number): Float32Array {
    const output = compute(produced, until - produced, memory.subarray(0, historyLength), historyStart);
    produced = until;
    return output;
  }

  function forget(): void {
    const needed = Math.floor((produced * down) / up) - taps / 2 + 1;
    const drop = Math.max(0, Math.min(needed - historyStart, historyLength));
    memory.copyWithin(0, drop, historyLength);
    historyLength -= drop;
    historyStart += drop;
    if (memory.length > maxMemorySamples) memory = memory.slice(0, historyLength);
  }

  return {
    push(chunk) {
      received += chunk.length;
      if (up === down) return chunk.slice();
      remember(chunk);
      // An output is complete when its last tap, at floor(k·down/up) + taps/2, has arrived.
      const complete = Math.ceil(((received - taps / 2) * up) / down);
      const output = produce(Math.max(produced, complete));
      forget();
      return output;
    },
    finish() {
      if (up === down) return new Float32Array(0);
      const output = produce(resampledLength(received, fromHz, toHz));
      memory = new Float32Array(0);
      historyLength = 0;
      return output;
    },
  };
}

/**
 * Resamples all of `samples` to `toHz`, with the same result as `createResampler` with any chunk sizes.
 */
export function resample(
  samples: Float32Array,
  fromHz: number,
  toHz: number,
  arithmetic: ResampleArithmetic = noArithmetic,
): Float32Array {
  const resampler = createResampler(fromHz, toHz, arithmetic);
  const chunks = [resampler.push(samples), resampler.finish()];
  return concatenate(chunks, chunks[0]!.length + chunks[1]!.length);
}
