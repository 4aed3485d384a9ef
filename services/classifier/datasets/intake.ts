import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { maxClipBytes } from '../../../shared/datasets/clip-file';
import { isCsv, maxCsvBytes } from '../../../shared/datasets/csv-file';
import { isSystemFile } from '../../../shared/datasets/file-index';
import { FileNames } from '../../../shared/datasets/file-names';
import { AppError } from '../../../shared/errors/app-error';
import { syncFolder } from '../../../shared/runtime/write-atomically';
import { assertClipName, tidyName } from './clip-name';
import type { DatasetThread } from './dataset-thread';

export interface IntakeLimits {
  /** Largest size of a dataset, packed and unpacked. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/**
 * A dataset being received. Its files are written one by one into a private scratch folder and flushed
 * to the disk. Files of a form and files of an archive pass the same checks and get the same paths.
 */
export class Intake {
  readonly #content: string;
  readonly #archive: string;
  readonly #limits: IntakeLimits;
  readonly #unpack: DatasetThread['unpack'];
  readonly #names = new FileNames();
  #bytes = 0;
  #hasArchive = false;
  #closed = false;
  /** Settles when all folders requested so far are made; they are made one after the other. */
  #folders: Promise<unknown> = Promise.resolve();
  /** Streams that are being written. */
  readonly #contents = new Set<Readable>();

  constructor(scratch: string, limits: IntakeLimits, unpack: DatasetThread['unpack']) {
    this.#content = join(scratch, 'content');
    this.#archive = join(scratch, 'archive.zip');
    this.#limits = limits;
    this.#unpack = unpack;
  }

  /**
   * Stores a file of a form: a recording, or the CSV. Files that operating systems add (`.DS_Store`) are
   * read and discarded.
   * @throws AppError malformed-request, payload-too-large; the stream's own error
   */
  async addFile(sentName: string, content: Readable): Promise<void> {
    const name = tidyName(sentName);
    if (isSystemFile(name)) {
      await pipeline(content, discard());
      return;
    }
    assertClipName(name);
    const clash = this.#names.add(name);
    if (clash !== undefined) throw new AppError('malformed-request', `The form is refused: ${clash}.`);
    if (this.#names.count > this.#limits.maxFiles) throw tooManyFiles(this.#limits);
    const file = join(this.#content, name);
    await this.#makeFolder(dirname(file));
    await this.#write(file, content, isCsv(name) ? maxCsvBytes : maxClipBytes);
  }

  /**
   * Stops writing and destroys the streams of parts that are still arriving. Resolves when no more
   * folder will be made, so that the scratch folder can be removed.
   */
  async close(): Promise<void> {
    this.#closed = true;
    for (const content of this.#contents) content.destroy();
    await this.#folders.catch(() => undefined);
  }

  async #makeFolder(folder: string): Promise<void> {
    this.#assertOpen();
    this.#folders = this.#folders.catch(() => undefined).then(() => mkdir(folder, { recursive: true }));
    await this.#folders;
  }

  #assertOpen(): void {
    if (this.#closed) throw new AppError('cancelled', 'The upload was given up.');
  }

  /** Stores the archive that holds the whole dataset. @throws AppError as addFile */
  async addArchive(content: Readable): Promise<void> {
    if (this.#hasArchive) throw new AppError('malformed-request', 'Send one archive at a time.');
    this.#hasArchive = true;
    await this.#write(this.#archive, content, this.#limits.maxBytes);
  }

  /**
   * Unpacks the archive, if one was sent.
   * @returns the folder that becomes the dataset: where a single folder holds all files, that folder
   * @throws AppError malformed-request
   */
  async complete(signal: AbortSignal): Promise<string> {
    if (this.#hasArchive && this.#names.count > 0) {
      throw new AppError('malformed-request', 'Send either one archive or the files themselves, not both.');
    }
    if (!this.#hasArchive && this.#names.count === 0) {
      throw new AppError(
        'malformed-request',
        'Nothing was sent: send recordings and a CSV, or a zip of them.',
      );
    }
    if (!this.#hasArchive) return join(this.#content, this.#names.top ?? '');
    await mkdir(this.#content, { recursive: true });
    const request = { zipFile: this.#archive, folder: this.#content, ...this.#limits };
    const { top } = await this.#unpack(request, signal);
    return join(this.#content, top ?? '');
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
    this.#assertOpen();
    this.#contents.add(content);
    try {
      await pipeline(content, bound, createWriteStream(file, { flags: 'wx', flush: true }));
    } finally {
      this.#contents.delete(content);
    }
  }
}

/** Flushes a folder and all folders below it to the disk, so that the names in them survive a crash. */
export async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

function discard(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}

function tooManyFiles({ maxFiles }: IntakeLimits): AppError {
  return new AppError('payload-too-large', `A dataset has at most ${maxFiles} files.`, {
    details: { maxFiles },
  });
}
