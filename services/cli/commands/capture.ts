import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AppError } from '../../../shared/errors/app-error';

/** Raw PCM from somewhere. */
export interface Capture {
  /** Hz. */
  readonly sampleRate: number;
  readonly audio: Readable;
  /** Settles when the sound is over. @throws AppError not-found when the microphone could not be opened */
  readonly ended: Promise<void>;
  close(): void;
}

/** Hz; what sound cards run at. */
const sampleRate = 48_000;

/** Programs that know the system's microphones, in the order in which they are tried: mono, 16 bits. */
const programs: readonly (readonly [command: string, args: (device: string) => string[]])[] = [
  [
    'arecord',
    (device) => ['-q', '-D', device, '-t', 'raw', '-f', 'S16_LE', '-c', '1', '-r', String(sampleRate)],
  ],
  [
    'ffmpeg',
    (device) => [
      ...['-v', 'error', '-nostdin', '-f', 'alsa', '-i', device],
      ...['-ac', '1', '-ar', String(sampleRate), '-f', 's16le', '-'],
    ],
  ],
];

/**
 * Opens a microphone through the first program that this machine has.
 * @throws AppError not-found when it has none
 */
export async function captureMicrophone(device = 'default'): Promise<Capture> {
  for (const [command, args] of programs) {
    const child = spawn(command, args(device), { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      await once(child, 'spawn');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    return {
      sampleRate,
      audio: child.stdout,
      ended: endOf(child, command),
      close: () => void child.kill('SIGINT'),
    };
  }
  const names = programs.map(([command]) => command).join(' nor ');
  throw new AppError('not-found', `Neither ${names} is here to open the microphone: install alsa-utils.`);
}

async function endOf(child: ChildProcessByStdio<null, Readable, Readable>, command: string): Promise<void> {
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  const [code] = (await once(child, 'close')) as [number | null];
  // Both end with a status of their own when interrupted: that is no failure.
  if (code === 0 || code === null || child.killed) return;
  throw new AppError('not-found', `${command} could not record: ${lastLine(said)}`);
}

/** The programs tell the history of a failure first and what it came to last. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!;
}
