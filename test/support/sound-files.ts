import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** A sample recording of the project. */
export function samplePath(name: string): string {
  return join(process.cwd(), 'samples', name);
}

/** Recordings one after another, as a mono WAV file of 48 kHz made by ffmpeg. */
export function joinToWav(inputs: readonly string[], output: string): void {
  const files = inputs.flatMap((input) => ['-i', input]);
  const streams = inputs.map((_, index) => `[${index}:a]`).join('');
  const filter = `${streams}concat=n=${inputs.length}:v=0:a=1,aresample=48000[out]`;
  const format = ['-map', '[out]', '-ac', '1', '-c:a', 'pcm_s16le'];
  execFileSync('ffmpeg', [
    '-v',
    'error',
    '-nostdin',
    '-y',
    ...files,
    '-filter_complex',
    filter,
    ...format,
    output,
  ]);
}
