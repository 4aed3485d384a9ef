import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A dataset of two classes, low and high tones, one 5 s clip a class in each of five folds, as 16 kHz
 * WAV.
 */
export async function writeToneDataset(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const lines = ['filename,fold,category'];
  for (let fold = 1; fold <= 5; fold++) {
    for (const [category, base] of [
      ['low', 200],
      ['high', 3000],
    ] as const) {
      const filename = `${fold}-${category}.wav`;
      await writeFile(join(folder, filename), toneWav(base + 17 * fold));
      lines.push(`${filename},${fold},${category}`);
    }
  }
  await writeFile(join(folder, 'tones.csv'), `${lines.join('\n')}\n`);
}

function toneWav(frequency: number): Buffer {
  const [sampleRate, seconds] = [16_000, 5];
  const data = Buffer.alloc(sampleRate * seconds * 2);
  for (let i = 0; i < sampleRate * seconds; i++) {
    data.writeInt16LE(Math.round(12_000 * Math.sin((2 * Math.PI * frequency * i) / sampleRate)), i * 2);
  }
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
