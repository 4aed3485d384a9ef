import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, program } from './needs';

/** A block of tests whose files ffmpeg makes. */
export const describeWithFfmpeg = describeWith(program('ffmpeg'));

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

/** A file as ffmpeg hears it: all channels, interleaved, at the file's own rate. */
export function decodeIndependently(file: Uint8Array, ...inputArgs: readonly string[]): Float32Array {
  const args = ['-v', 'quiet', ...inputArgs, '-i', 'pipe:0', '-f', 'f32le', '-c:a', 'pcm_f32le', 'pipe:1'];
  const bytes = execFileSync('ffmpeg', args, { input: file, maxBuffer: 1 << 28 });
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
