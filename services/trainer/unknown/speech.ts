import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClipDecoder } from '../../../shared/audio/clip';
import type { MadeSound } from './made-sounds';

const sentences = [
  'The train to the coast leaves at half past nine from platform four.',
  'Could you tell me where the nearest post office is, please?',
  'We measured the temperature every hour for three days in a row.',
  'She opened the window, looked outside, and closed it again.',
  'Numbers are easy to remember: seventeen, forty two, and ninety nine.',
  'Nobody in the village had ever seen so much snow in April.',
];
const voices = ['en-gb', 'en-us+f3', 'de', 'fr'];

/** Sentences read by espeak-ng; none where it is not installed. */
export async function speechSounds(decoder: ClipDecoder, sampleRate: number): Promise<MadeSound[]> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-speech-'));
  try {
    const sounds: MadeSound[] = [];
    for (const [index, sentence] of sentences.entries()) {
      for (const voice of voices) {
        const file = join(folder, `${index}.wav`);
        await promisify(execFile)('espeak-ng', ['-v', voice, '-w', file, sentence]);
        const clip = await decoder.decode(await readFile(file), { sampleRate, maxSeconds: 60 });
        sounds.push({ kind: 'speech', samples: clip.samples });
      }
    }
    return sounds;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
