import { createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform, Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { maxClipBytes } from '../../../shared/datasets/clip-file';
import { isCsv, maxCsvBytes } from '../../../shared/datasets/csv-file';
import { isClutter } from '../../../shared/datasets/file-index';
import { FileNames } from '../../../shared/datasets/file-names';
import { AppError } from '../../../shared/errors/app-error';
import { syncFolder } from '../../../shared/runtime/write-atomically';
import { assertClipName, tidyName } from './clip-name';
import type { DatasetThread } from './dataset-thread';

export interface IntakeLimits {
  /** Of a dataset, packed and unpacked. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/**
 * A dataset on its way in: a folder that nobody else sees, filled file by file, each on the disk before it counts. Files of a form
 * and those of an archive go through the same checks, and to the same places.
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
  /** The folders that are made, one after the other. */
  #folders: Promise<unknown> = Promise.resolve();
  /** What is being written. */
  readonly #contents = new Set<Readable>();

  constructor(scratch: string, limits: IntakeLimits, unpack: DatasetThread['unpack']) {
    this.#content = join(scratch, 'content');
    this.#archive = join(scratch, 'archive.zip');
    this.#limits = limits;
    this.#unpack = unpack;
  }

  /**
   * A file of a form: a recording, or the CSV. What operating systems add of their own is let pass and not kept.
   * @throws AppError malformed-request, payload-too-large; the stream's own error
   */
  async addFile(sentName: string, content: Readable): Promise<void> {
    const name = tidyName(sentName);
    if (isClutter(name)) {
      await pipeline(content, nowhere());
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
   * Nothing is written from now on: parts that are still on their way are given up. Resolves when the
   * folder can be removed, and will not be made again.
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

  /** The one archive that holds everything. @throws AppError as addFile */
  async addArchive(content: Readable): Promise<void> {
    if (this.#hasArchive) throw new AppError('malformed-request', 'Send one archive at a time.');
    this.#hasArchive = true;
    await this.#write(this.#archive, content, this.#limits.maxBytes);
  }

  /**
   * Unpacks the archive, if that is what was sent.
   * @returns the folder that becomes the dataset; one folder around everything is left out
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
    const order = { zipFile: this.#archive, folder: this.#content, ...this.#limits };
    const { top } = await this.#unpack(order, signal);
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

/** Every folder below is on the disk, with the names in it. */
export async function syncFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

function nowhere(): Writable {
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
