import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ClipDecoder } from '../../../shared/signal/clip';
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

/** What is read aloud, by which of espeak-ng's voices. */
export interface Reading {
  readonly voice: string;
  readonly text: string;
  readonly wordsPerMinute?: number;
}

const usualPace = 175;

/** WAV files of espeak-ng reading; none where it is not installed. */
export async function readAloud(readings: readonly Reading[]): Promise<Buffer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-speech-'));
  try {
    const file = join(folder, 'speech.wav');
    const files: Buffer[] = [];
    for (const { voice, text, wordsPerMinute = usualPace } of readings) {
      await promisify(execFile)('espeak-ng', ['-v', voice, '-s', String(wordsPerMinute), '-w', file, text]);
      files.push(await readFile(file));
    }
    return files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Sentences read by espeak-ng; none where it is not installed. */
export async function speechSounds(decoder: ClipDecoder, sampleRate: number): Promise<MadeSound[]> {
  const sounds: MadeSound[] = [];
  for (const wav of await readAloud(sentences.flatMap((text) => voices.map((voice) => ({ voice, text }))))) {
    const { samples } = await decoder.decode(wav, { sampleRate, maxSeconds: 60 });
    sounds.push({ kind: 'speech', samples });
  }
  return sounds;
}
