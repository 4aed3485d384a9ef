import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise } from 'yauzl';

export interface UnzipOptions {
  readonly zipFile: string;
  readonly folder: string;
  /** Where an entry goes, relative to the folder; undefined leaves it out. */
  readonly place: (entryName: string) => string | undefined;
  /** More than this in all is refused before it is unpacked: a small archive can hold a disk full. */
  readonly maxBytes: number;
  readonly onEntry?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks an archive into a folder, checking each file's size and CRC-32. Links are unpacked as plain files.
 *
 * @throws Error when the archive is damaged, a name in it would lead out of the folder, or it is too large
 */
export async function unzip(options: UnzipOptions): Promise<void> {
  const { folder, place, maxBytes, onEntry, signal } = options;
  // yauzl refuses absolute names and those with '..' (validateFileName) and checks sizes, but no CRC.
  const archive = await openPromise(options.zipFile);
  try {
    let bytes = 0;
    let done = 0;
    for await (const entry of archive.eachEntry()) {
      signal?.throwIfAborted();
      const name = entry.fileName.endsWith('/') ? undefined : place(entry.fileName);
      if (name !== undefined) {
        bytes += entry.uncompressedSize;
        if (bytes > maxBytes) throw new Error(`it holds more than ${maxBytes} bytes`);
        const file = path.resolve(folder, name);
        if (!file.startsWith(path.resolve(folder) + path.sep))
          throw new Error(`${name} leads out of the folder`);
        await mkdir(path.dirname(file), { recursive: true });
        const content = await archive.openReadStreamPromise(entry);
        await pipeline(content, checkCrc(entry), createWriteStream(file), { signal });
      }
      onEntry?.({ done: ++done, total: archive.entryCount });
    }
  } finally {
    archive.close();
  }
}

function checkCrc(entry: Entry): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _, next) {
      sum = crc32(chunk, sum);
      next(null, chunk);
    },
    flush(next) {
      next(sum === entry.crc32 ? null : new Error(`${entry.fileName} is damaged (CRC-32)`));
    },
  });
}
