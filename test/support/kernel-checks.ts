import type { KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { relativeError } from './native-cnn';

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(relativeError(actual, expected)).toBeLessThan(tolerance);
}

/** Every instruction set that this machine runs. */
export function forEachSet(addon: KernelsAddon, work: (instructionSet: string) => void): void {
  const sets = addon.instructionSets();
  expect(sets).toContain('baseline');
  for (const set of sets) work(set);
}
