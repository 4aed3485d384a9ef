import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { AppError } from '../errors/app-error';

export interface UnzipOptions {
  readonly zipFile: string;
  readonly folder: string;
  /**
   * Told all entries' names, says where each goes, relative to the folder; undefined leaves it out.
   * @throws AppError for a name that is not taken
   */
  readonly place: (entryNames: readonly string[]) => (entryName: string) => string | undefined;
  /** More than this in all is refused before it is unpacked: a small archive can hold a disk full. */
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Each file is on the disk before the next is unpacked. */
  readonly flush?: boolean | undefined;
  readonly onEntry?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Placed {
  readonly entry: Entry;
  readonly name: string;
}

/** Sound packs to a third, silence to a thousandth; what is smaller than this in all does no harm in any case. */
const maxRatio = 100;
const harmlessBytes = 64 * 2 ** 20;
/** Of a local header without its name. */
const localHeaderBytes = 30;
const [fileTypeMask, regularFile] = [0o170_000, 0o100_000];
/** Systems whose attributes hold a Unix mode: Unix and macOS. */
const unixSystems = [3, 19];

/**
 * Unpacks an archive into a folder, checking each file's size and CRC-32. Everything that its directory tells is checked
 * before the first file is written.
 *
 * @throws AppError malformed-request when the archive is damaged, a name in it would lead out of the folder or is there
 *   twice, it holds a link, its files overlap, or it is too large; the file system's errors as they are
 */
export async function unzip(options: UnzipOptions): Promise<void> {
  try {
    await unpack(options);
  } catch (caught) {
    if (caught instanceof AppError || options.signal?.aborted || isFileError(caught)) throw caught;
    throw refuse((caught as Error).message, caught);
  }
}

async function unpack(options: UnzipOptions): Promise<void> {
  const { folder, onEntry, signal } = options;
  // yauzl refuses absolute names and those with '..' (validateFileName) and checks sizes, but no CRC.
  const archive = await openPromise(options.zipFile, { autoClose: false });
  try {
    const files = await listFiles(archive, options);
    let done = 0;
    for (const { entry, name } of files) {
      signal?.throwIfAborted();
      const file = path.resolve(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      const content = await archive.openReadStreamPromise(entry);
      const target = createWriteStream(file, { flags: 'wx', flush: options.flush ?? false });
      await pipeline(content, checkCrc(entry), target, { signal });
      onEntry?.({ done: ++done, total: files.length });
    }
  } finally {
    archive.close();
  }
}

async function listFiles(archive: ZipFile, options: UnzipOptions): Promise<Placed[]> {
  const { folder, place, maxBytes, maxFiles, signal } = options;
  if (archive.entryCount > maxFiles * 2) throw refuse(`it holds more than ${maxFiles} files`);
  const entries: Entry[] = [];
  for await (const entry of archive.eachEntry()) {
    signal?.throwIfAborted();
    if (!entry.fileName.endsWith('/')) entries.push(entry);
  }
  const placeOf = place(entries.map(({ fileName }) => fileName));
  const placed = entries.flatMap((entry) => {
    const name = placeOf(entry.fileName);
    return name === undefined ? [] : [{ entry, name }];
  });
  if (placed.length > maxFiles) throw refuse(`it holds more than ${maxFiles} files`);
  const root = path.resolve(folder) + path.sep;
  const taken = new Set<string>();
  let bytes = 0;
  for (const { entry, name } of placed) {
    bytes += entry.uncompressedSize;
    if (bytes > maxBytes) throw refuse(`it holds more than ${maxBytes} bytes`);
    if (!path.resolve(folder, name).startsWith(root)) throw refuse(`${name} leads out of the folder`);
    refuseSpecial(entry);
    // As file systems compare names that do not tell case or composition apart.
    const key = name.normalize('NFC').toLowerCase();
    if (taken.has(key)) throw refuse(`it holds ${name} twice`);
    taken.add(key);
  }
  if (bytes > harmlessBytes && bytes > maxRatio * archive.fileSize) {
    throw refuse(`it unpacks to more than ${maxRatio} times its size`);
  }
  refuseOverlaps(placed);
  return placed;
}

/** Links, devices, and whatever cannot be read here. */
function refuseSpecial(entry: Entry): void {
  const { fileName, versionMadeBy, externalFileAttributes, compressionMethod } = entry;
  const type = (externalFileAttributes >>> 16) & fileTypeMask;
  if (unixSystems.includes(versionMadeBy >>> 8) && type !== 0 && type !== regularFile) {
    throw refuse(`${fileName} is a link or no plain file`);
  }
  if (entry.isEncrypted()) throw refuse(`${fileName} is encrypted`);
  if (compressionMethod !== 0 && compressionMethod !== 8) {
    throw refuse(`${fileName} is packed in a way that is not read here; pack it with Deflate`);
  }
}

/** Bombs let many files share the same bytes. */
function refuseOverlaps(files: readonly Placed[]): void {
  const ordered = files.map(({ entry }) => entry);
  ordered.sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  let end = 0;
  for (const entry of ordered) {
    const start = entry.relativeOffsetOfLocalHeader;
    if (start < end) throw refuse(`${entry.fileName} overlaps another file in it`);
    end = start + localHeaderBytes + entry.fileNameLength + entry.compressedSize;
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

function isFileError(caught: unknown): boolean {
  return typeof caught === 'object' && caught !== null && 'syscall' in caught;
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('malformed-request', message, { cause });
}
