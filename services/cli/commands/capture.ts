import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { AppError } from '../../../shared/errors/app-error';

/** A source of raw PCM: a microphone or standard input. */
export interface Capture {
  /** Hz. */
  readonly sampleRate: number;
  readonly audio: Readable;
  /**
   * Resolves when the sound has ended; rejects with AppError not-found if the microphone could not be
   * opened.
   */
  readonly ended: Promise<void>;
  close(): void;
}

/** Hz; the usual rate of sound cards. */
const sampleRate = 48_000;

/** Programs that record a microphone as mono 16-bit PCM, in the order in which they are tried. */
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
 * Opens a microphone with the first of these programs that is installed.
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
  let stderrText = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (stderrText = (stderrText + text).slice(-2000)));
  const [code] = (await once(child, 'close')) as [number | null];
  // An interrupted program ends with a status other than 0, which is not a failure.
  if (code === 0 || code === null || child.killed) return;
  throw new AppError('not-found', `${command} could not record: ${lastLine(stderrText)}`);
}

/** The last line of a program's messages: the one that states the failure. */
function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!;
}
