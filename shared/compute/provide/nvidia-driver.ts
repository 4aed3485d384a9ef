import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../../environment';

export interface NvidiaDriver {
  /**
   * Why programs here cannot use it, though the kernel has it; undefined: as far as can be told they
   * can.
   */
  readonly problem: string | undefined;
}

/** The driver's part that programs load: a container has it only where the machine gives it a card. */
const library = 'libcuda.so.1';

const found = new Map<string, NvidiaDriver | undefined>();

/**
 * The NVIDIA driver of this machine; undefined: it has none. Looked for once in a process.
 * @param root where /proc and /dev are
 */
export function findNvidiaDriver(root = '/'): NvidiaDriver | undefined {
  if (!found.has(root)) found.set(root, lookFor(root));
  return found.get(root);
}

function lookFor(root: string): NvidiaDriver | undefined {
  // Plain containers see the machine's /proc, but not its devices.
  const places = ['dev/nvidiactl', 'proc/driver/nvidia/version'].map((place) => join(root, place));
  if (!places.some((place) => existsSync(place))) return undefined;
  const reason = whyNotLoaded();
  if (reason === undefined) return { problem: undefined };
  return {
    problem: `An NVIDIA driver is loaded on this machine, and not given to this process: ${reason}. A container needs --gpus all, or its like.`,
  };
}

/** Tries it in a process of its own, because a library that was loaded stays. */
function whyNotLoaded(): string | undefined {
  const script = `process.dlopen({ exports: {} }, '${library}')`;
  const { stderr } = spawnSync(process.execPath, ['-e', script], {
    env: childEnvironment(),
    encoding: 'utf8',
  });
  // What loads is no module of Node's, which is said otherwise.
  return /Error: (.*cannot open shared object file.*)/.exec(stderr)?.[1];
}
