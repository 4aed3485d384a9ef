import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import { isShortage } from '../../errors/machine-fault';

/**
 * Libtensorflow is compiled for processors with AVX: on another one it ends the process with SIGILL as
 * soon as it is loaded.
 * @param root where /proc is
 * @throws AppError engine-unavailable on an x86-64 processor that is known to have none
 */
export function assertAvx(root = '/'): void {
  const facts = readCpuInfo(join(root, 'proc/cpuinfo'));
  // Other processors list their features in a line of another name.
  const flags = /^flags\s*:(.*)$/m.exec(facts)?.[1];
  if (flags === undefined || flags.split(' ').includes('avx')) return;
  const name = /^model name\s*:\s*(.*)$/m.exec(facts)?.[1] ?? 'this processor';
  throw new AppError(
    'engine-unavailable',
    `libtensorflow needs a processor with AVX, which ${name} has not: serve with ENGINE=auto or wasm; train on another machine, or what the native kernels train.`,
  );
}

/** Empty where it cannot be told. */
function readCpuInfo(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (caught) {
    if (isShortage(caught)) throw caught;
    return '';
  }
}
