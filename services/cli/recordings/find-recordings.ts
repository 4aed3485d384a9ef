import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { AppError } from '../../../shared/errors/app-error';

/** Tells a recording that was changed from the same one. */
export interface FileState {
  readonly bytes: number;
  /** Time of its last change, as ISO 8601 writes it. */
  readonly modified: string;
}

export interface Recording {
  /** The path as it was named, or below the folder that was named; `-` for standard input. */
  readonly file: string;
  /** Path below the folder that was named; the file's own name for one that was named itself. */
  readonly name: string;
  /** Undefined for standard input, and for a file that cannot be looked at. */
  readonly state: FileState | undefined;
}

/** Files with other names in a folder are passed over; a file that is named itself is always taken. */
const extensions = new Set(
  (
    'wav wave w64 rf64 flac mp3 ogg oga opus webm m4a mp4 aac mka mkv mov 3gp amr wma aif aiff aifc caf ' +
    'au snd wv ape ac3 spx'
  )
    .split(' ')
    .map((extension) => `.${extension}`),
);

/**
 * Finds the recordings in files and folders, folders with all below them. Hidden files and links to
 * folders are left out.
 * @throws AppError not-found for a folder that cannot be read, or holds no recording
 */
export async function findRecordings(paths: readonly string[]): Promise<Recording[]> {
  const found: Recording[] = [];
  for (const path of paths) {
    const isFolder = path !== '-' && (await stat(path).catch(() => undefined))?.isDirectory() === true;
    if (!isFolder) {
      found.push(await recordingAt(path, basename(path)));
      continue;
    }
    const inFolder = await recordingsBelow(path, '');
    if (inFolder.length === 0) {
      throw new AppError(
        'not-found',
        `${path}: There are no recordings in it: none of its files has the name of a sound file, as .wav or .ogg.`,
      );
    }
    found.push(...inFolder);
  }
  return found;
}

async function recordingsBelow(folder: string, prefix: string): Promise<Recording[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new AppError('not-found', `${folder}: ${(cause as Error).message}`, { cause });
  });
  const found: Recording[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await recordingsBelow(path, `${name}/`)));
    else if (extensions.has(extname(entry.name).toLowerCase())) found.push(await recordingAt(path, name));
  }
  return found;
}

async function recordingAt(file: string, name: string): Promise<Recording> {
  const found = file === '-' ? undefined : await stat(file).catch(() => undefined);
  const state = found && { bytes: found.size, modified: found.mtime.toISOString() };
  return { file, name, state };
}
