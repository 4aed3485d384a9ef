import type { ResampleArithmetic } from '../../signal/resample';
import { loadKernels, type KernelsChoice } from './kernels-addon';

/** One for each addon and instruction set: resamplers share what belongs to their rates. */
const known = new Map<string, ResampleArithmetic>();

/**
 * The resampler's arithmetic on the native kernels; ratios whose filter is read with interpolation are
 * left to WebAssembly.
 */
export function nativeResampling({
  path,
  instructionSet,
}: Pick<KernelsChoice, 'path' | 'instructionSet'>): ResampleArithmetic {
  const key = `${instructionSet} ${path}`;
  const arithmetic = known.get(key) ?? createArithmetic(path, instructionSet);
  known.set(key, arithmetic);
  return arithmetic;
}

function createArithmetic(path: string, instructionSet: string): ResampleArithmetic {
  const addon = loadKernels(path);
  return (up, down, { taps, rows, interpolated }) => {
    if (interpolated) return undefined;
    const resampler = addon.createResampler({ instructionSet, up, down, taps, rows });
    return (first, count, signal, signalStart) => resampler.compute(signal, signalStart, first, count);
  };
}
