import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decode } from '../shared/decode/decode';
import { chooseEngine } from '../shared/compute/provide/choose-engine';
import type { KernelsChoice } from '../shared/compute/kernels/kernels-addon';
import { wavFile } from '../test/support/wav-file';
import { projectFolder } from './service';

const rates = [16_000, 44_100] as const;

/**
 * Measures the time to decode five seconds of sound on one thread, with and without the native kernels.
 * Prints milliseconds.
 */
export async function benchDecode(): Promise<void> {
  const { kernels } = await chooseEngine({
    wish: 'auto',
    onProgress: () => undefined,
    onFallback: console.error,
  });
  const ogg = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const { samples } = await decode(ogg, { sampleRate: 44_100, maxSeconds: 10 });
  const files: readonly (readonly [string, Uint8Array])[] = [
    ['WAV, 44.1 kHz', wavFile([samples.subarray(0, 220_500)], { sampleRate: 44_100, type: 's16' })],
    ['Ogg Vorbis, 44.1 kHz', ogg],
  ];
  console.log('\nMilliseconds to decode a clip of 5 s, the fastest of at least 20 runs.\n');
  console.log(`| | ${rates.map((rate) => `to ${rate} Hz | native kernels`).join(' | ')} |`);
  console.log(`|${'---|'.repeat(1 + 2 * rates.length)}`);
  for (const [name, bytes] of files) {
    const cells: string[] = [];
    for (const sampleRate of rates) {
      for (const chosen of [undefined, kernels]) cells.push(await fastest(bytes, sampleRate, chosen));
    }
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

async function fastest(
  bytes: Uint8Array,
  sampleRate: number,
  kernels: KernelsChoice | undefined,
): Promise<string> {
  let ms = Infinity;
  for (let run = 0; run < 20; run++) {
    const before = performance.now();
    await decode(bytes, { sampleRate, maxSeconds: 10 }, { kernels });
    ms = Math.min(ms, performance.now() - before);
  }
  return ms.toFixed(2);
}
