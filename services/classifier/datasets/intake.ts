import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { maxClipBytes } from '../../../shared/datasets/clip-file';
import { unzip } from '../../../shared/datasets/unzip';
import { AppError } from '../../../shared/errors/app-error';
import { syncFolder } from '../../../shared/registry/write-atomically';
import { assertClipName, isClutter } from './clip-name';

export interface IntakeLimits {
  /** Of a dataset, packed and unpacked. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

const maxCsvBytes = 32 * 2 ** 20;

/** A dataset on its way in: a folder that nobody else sees, filled file by file, each on the disk before it counts. */
export class Intake {
  /** What becomes the dataset. */
  readonly folder: string;
  readonly #archive: string;
  readonly #limits: IntakeLimits;
  readonly #names = new Set<string>();
  #bytes = 0;
  #hasArchive = false;

  constructor(scratch: string, limits: IntakeLimits) {
    this.folder = join(scratch, 'content');
    this.#archive = join(scratch, 'archive.zip');
    this.#limits = limits;
  }

  /**
   * A file of a form: a recording, or the CSV.
   * @throws AppError malformed-request, payload-too-large; the stream's own error
   */
  async addFile(name: string, content: Readable): Promise<void> {
    assertClipName(name);
    const key = name.normalize('NFC').toLowerCase();
    if (this.#names.has(key)) throw new AppError('malformed-request', `${name} is sent twice.`);
    this.#names.add(key);
    if (this.#names.size > this.#limits.maxFiles) throw tooManyFiles(this.#limits);
    const isCsv = /\.csv$/i.test(name);
    const file = join(this.folder, isCsv ? '' : 'audio', name);
    await mkdir(dirname(file), { recursive: true });
    await this.#write(file, content, isCsv ? maxCsvBytes : maxClipBytes);
  }

  /** The one archive that holds everything. @throws AppError as addFile */
  async addArchive(content: Readable): Promise<void> {
    if (this.#hasArchive) throw new AppError('malformed-request', 'Send one archive at a time.');
    this.#hasArchive = true;
    await this.#write(this.#archive, content, this.#limits.maxBytes);
  }

  /** Unpacks the archive, if that is what was sent. @throws AppError malformed-request */
  async complete(signal: AbortSignal): Promise<void> {
    if (this.#hasArchive && this.#names.size > 0) {
      throw new AppError('malformed-request', 'Send either one archive or the files themselves, not both.');
    }
    if (!this.#hasArchive && this.#names.size === 0) {
      throw new AppError(
        'malformed-request',
        'Nothing was sent: send recordings and a CSV, or a zip of them.',
      );
    }
    if (!this.#hasArchive) return;
    await mkdir(this.folder, { recursive: true });
    const { maxBytes, maxFiles } = this.#limits;
    const zipFile = this.#archive;
    try {
      await unzip({ zipFile, folder: this.folder, place: placer, maxBytes, maxFiles, flush: true, signal });
    } catch (caught) {
      if (!(caught instanceof AppError) || caught.code !== 'malformed-request') throw caught;
      throw new AppError('malformed-request', `The archive is refused: ${caught.message}`, { cause: caught });
    }
  }

  async #write(file: string, content: Readable, maxBytes: number): Promise<void> {
    let bytes = 0;
    const bound = new Transform({
      transform: (chunk: Buffer, _, next) => {
        bytes += chunk.byteLength;
        this.#bytes += chunk.byteLength;
        const limit = Math.min(maxBytes, this.#limits.maxBytes);
        const fits = bytes <= maxBytes && this.#bytes <= this.#limits.maxBytes;
        next(fits ? null : new AppError('payload-too-large', `More than ${limit} bytes.`), chunk);
      },
    });
    await pipeline(content, bound, createWriteStream(file, { flags: 'wx', flush: true }));
  }
}

/** Entries go where they are in the archive; one folder around all of them goes. */
function placer(names: readonly string[]): (name: string) => string | undefined {
  const wanted = names.filter((name) => !isClutter(name));
  const top = `${wanted[0]?.split('/')[0] ?? ''}/`;
  const wrapped = wanted.every((name) => name.startsWith(top));
  return (name) => {
    if (isClutter(name)) return undefined;
    assertClipName(name);
    return wrapped ? name.slice(top.length) : name;
  };
}

/** Every folder below is on the disk, with the names in it. */
export async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

function tooManyFiles({ maxFiles }: IntakeLimits): AppError {
  return new AppError('payload-too-large', `A dataset has at most ${maxFiles} files.`, {
    details: { maxFiles },
  });
}
