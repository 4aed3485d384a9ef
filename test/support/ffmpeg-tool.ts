import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;

/** A block of tests whose files ffmpeg makes: skipped, and reported as such, on a machine without it. */
export const describeWithFfmpeg = hasFfmpeg ? describe : describe.skip;

/** A WAV file encoded into another format; `fileName`'s ending decides which, `args` the rest. */
export function encode(wav: Uint8Array, fileName: string, ...args: readonly string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  try {
    const input = join(folder, 'input.wav');
    const output = join(folder, fileName);
    writeFileSync(input, wav);
    execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-i', input, '-bitexact', ...args, output]);
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
