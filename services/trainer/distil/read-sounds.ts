import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { encoderFrontEnd } from '../../../shared/contracts/front-end';
import { isClipFault, maxClipBytes } from '../../../shared/datasets/clip-file';
import { indexFiles } from '../../../shared/datasets/file-index';
import { AppError } from '../../../shared/errors/app-error';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { usableCores } from '../../../shared/runtime/usable-cores';
import { sha256 } from '../data/checked-file';

/** What of a long recording is heard, in seconds. */
const maxSeconds = 120;

/** Unlabelled recordings, decoded. */
export interface UnlabelledSounds {
  /** Mono at the encoder's rate, in the order of their names. */
  readonly samples: readonly Float32Array[];
  /** The sha256 of the recordings' contents. */
  readonly fingerprint: string;
  /** Sentences about recordings that were left out. */
  readonly problems: readonly string[];
}

interface ReadOptions {
  readonly decoder: ClipDecoder;
  readonly onProgress: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Reads unlabelled recordings. One that cannot be heard is left out and named.
 * @param sources folders, with all that is below them, or text files that list recordings, one a line,
 *   relative to the list
 * @throws AppError invalid-dataset where a source cannot be read or no recording can be heard; cancelled
 */
export async function readSounds(
  sources: readonly string[],
  { decoder, onProgress, signal }: ReadOptions,
): Promise<UnlabelledSounds> {
  const files = (await Promise.all(sources.map(filesOf))).flat();
  const heard: (Float32Array | string | undefined)[] = [];
  const hashes: string[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++;
      if (signal.aborted) throw new AppError('cancelled', 'Reading sounds was cancelled.');
      const bytes = await readFile(files[index]!);
      hashes[index] = sha256(bytes).toString('hex');
      heard[index] = await samplesOf(files[index]!, bytes, decoder);
      onProgress(++done, files.length);
    }
  };
  await Promise.all(Array.from({ length: usableCores() + 1 }, worker));
  const samples = heard.filter((sound) => sound instanceof Float32Array);
  const problems = heard.filter((sound) => typeof sound === 'string');
  if (samples.length === 0) {
    throw new AppError(
      'invalid-dataset',
      ['There is no recording that can be heard.', ...problems].join(' '),
    );
  }
  return { samples, fingerprint: sha256(hashes.join('\n')).toString('hex'), problems };
}

async function filesOf(source: string): Promise<string[]> {
  try {
    if ((await stat(source)).isDirectory()) {
      const names = indexFiles(source).files.filter((name) => !/\.(csv|json|md|py|txt)$/i.test(name));
      return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => join(source, name));
    }
    const lines = (await readFile(source, 'utf8')).split(/\r?\n/);
    return lines.filter((line) => line !== '').map((line) => resolve(dirname(source), line));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const message = `The sounds of ${source} cannot be read: ${(cause as Error).message}.`;
    throw new AppError('invalid-dataset', message, { cause });
  }
}

/** @returns the samples, or what is wrong with the recording */
async function samplesOf(file: string, bytes: Buffer, decoder: ClipDecoder): Promise<Float32Array | string> {
  if (bytes.length > maxClipBytes) return `${file} is larger than ${maxClipBytes} bytes.`;
  try {
    const { sampleRate } = encoderFrontEnd;
    const clip = await decoder.decode(bytes, { sampleRate, maxSeconds, removeOffset: true });
    return clip.samples.slice();
  } catch (caught) {
    if (isClipFault(caught)) return `${file}: ${caught.message}`;
    throw caught;
  }
}
