import { openSync, closeSync } from 'node:fs';
import fsPromises from 'node:fs/promises';

/**
 * Loaded into a process before its main file (`--require`): takes every descriptor that the process may
 * have, for real, when it first lists the folder `HOARD_AT`, or on SIGUSR2. They are given back after
 * `HOARD_MS`, or on the next SIGUSR2.
 */
const held: number[] = [];

function takeAll(): void {
  try {
    for (;;) held.push(openSync('/dev/null', 'r'));
  } catch {
    // That was the last one.
  }
}

function giveBack(): void {
  for (const descriptor of held.splice(0)) closeSync(descriptor);
}

process.on('SIGUSR2', () => {
  if (held.length === 0) takeAll();
  else giveBack();
});

const { HOARD_AT: folder, HOARD_MS: durationMs } = process.env;
if (folder !== undefined) {
  const list = fsPromises.readdir;
  let wasListed = false;
  const listing = async (...given: Parameters<typeof list>): Promise<unknown> => {
    if (given[0] === folder) {
      // After what the main file still reads at once.
      await new Promise(setImmediate);
      if (!wasListed) {
        takeAll();
        setTimeout(giveBack, Number(durationMs));
      }
      wasListed = true;
    }
    return list(...given);
  };
  fsPromises.readdir = listing as typeof list;
}
