import { isUtf8 } from 'node:buffer';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { AppError } from '../errors/app-error';
import { isMachineFault } from '../errors/machine-fault';
import { shownValue } from './dataset-problems';
import { FileNames } from './file-names';

export interface UnzipOptions {
  readonly zipFile: string;
  readonly folder: string;
  /**
   * Gets the names of all entries, separated by `/`. It returns a function that maps a name to its path
   * relative to the folder; undefined skips the entry.
   * @throws AppError for a name that is not accepted
   */
  readonly place: (entryNames: readonly string[]) => (entryName: string) => string | undefined;
  /**
   * Limit of the total size, checked before unpacking: a small archive can contain more than the disk
   * holds.
   */
  readonly maxBytes: number;
  readonly maxFiles: number;
  /** Whether each file is flushed to disk before the next is unpacked. */
  readonly flush?: boolean | undefined;
  readonly onEntry?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Placed {
  readonly entry: Entry;
  readonly name: string;
}

/**
 * Maximum compression ratio. Audio compresses to a third, silence to a thousandth; archives below
 * `harmlessBytes` are always accepted.
 */
const maxRatio = 100;
const harmlessBytes = 64 * 2 ** 20;
/** Size of a local file header without the name. */
const localHeaderBytes = 30;
/** The flag of an entry whose name is UTF-8. */
const utf8Flag = 0x800;
const [fileTypeMask, regularFile] = [0o170_000, 0o100_000];
/** Host systems whose attributes contain a Unix mode: Unix and macOS. */
const unixSystems = [3, 19];

/**
 * Unpacks an archive into a folder, checking the size and CRC-32 of each file. The whole directory of
 * the archive is checked before the first file is written.
 * @throws AppError malformed-request when the archive is damaged or too large, a name would lead out of
 * the folder or occurs twice, it contains a link, or its files overlap; the file system's errors
 */
export async function unzip(options: UnzipOptions): Promise<void> {
  try {
    await unpack(options);
  } catch (caught) {
    if (caught instanceof AppError || options.signal?.aborted || isMachineFault(caught)) throw caught;
    if ((caught as NodeJS.ErrnoException).code === 'Z_MEM_ERROR') throw caught;
    throw refuse(shownValue((caught as Error).message), caught);
  }
}

async function unpack(options: UnzipOptions): Promise<void> {
  const { folder, onEntry, signal } = options;
  // yauzl checks sizes but no CRC; names are decoded and checked here (nameOf, `place`).
  const archive = await openPromise(options.zipFile, { autoClose: false, decodeStrings: false });
  try {
    const files = await listFiles(archive, options);
    let done = 0;
    for (const { entry, name } of files) {
      signal?.throwIfAborted();
      const file = path.resolve(folder, name);
      await mkdir(path.dirname(file), { recursive: true });
      const content = await archive.openReadStreamPromise(entry);
      const target = createWriteStream(file, { flags: 'wx', flush: options.flush ?? false });
      await pipeline(content, checkCrc(entry, name), target, { signal });
      onEntry?.({ done: ++done, total: files.length });
    }
  } finally {
    archive.close();
  }
}

async function listFiles(archive: ZipFile, options: UnzipOptions): Promise<Placed[]> {
  const { folder, place, maxBytes, maxFiles, signal } = options;
  if (archive.entryCount > maxFiles * 2) throw refuse(`it holds more than ${maxFiles} files`);
  const entries = await readDirectory(archive, signal);
  const placeOf = place(entries.map(({ name }) => name));
  const placed = entries.flatMap((listed) => {
    const name = placeOf(listed.name);
    return name === undefined ? [] : [{ entry: listed.entry, name }];
  });
  if (placed.length > maxFiles) throw refuse(`it holds more than ${maxFiles} files`);
  const root = path.resolve(folder) + path.sep;
  const names = new FileNames();
  let bytes = 0;
  for (const { entry, name } of placed) {
    bytes += entry.uncompressedSize;
    if (bytes > maxBytes) throw refuse(`it holds more than ${maxBytes} bytes`);
    if (!path.resolve(folder, name).startsWith(root)) {
      throw refuse(`${shownValue(name)} leads out of the folder`);
    }
    refuseSpecial(entry, shownValue(name));
    const clash = names.add(name);
    if (clash !== undefined) throw refuse(clash);
  }
  if (bytes > harmlessBytes && bytes > maxRatio * archive.fileSize) {
    throw refuse(`it unpacks to more than ${maxRatio} times its size`);
  }
  refuseOverlaps(placed);
  return placed;
}

async function readDirectory(archive: ZipFile, signal: AbortSignal | undefined): Promise<Placed[]> {
  const entries: Placed[] = [];
  for await (const entry of archive.eachEntry()) {
    signal?.throwIfAborted();
    const name = nameOf(entry);
    if (name.startsWith('/') || name.split('/').includes('..')) {
      throw refuse(`${shownValue(name)} leads out of the folder`);
    }
    if (!name.endsWith('/')) entries.push({ entry, name });
  }
  return entries;
}

/**
 * Decodes an entry's name. A flag marks UTF-8; archives of macOS use UTF-8 without the flag. Other names
 * are in the DOS code page (APPNOTE, appendix D).
 */
function nameOf({ fileNameRaw, generalPurposeBitFlag, extraFields }: Entry): string {
  const flags = isUtf8(fileNameRaw) ? generalPurposeBitFlag | utf8Flag : generalPurposeBitFlag;
  const name = getFileNameLowLevel(flags, fileNameRaw, extraFields, false);
  const parts = name.split('/');
  // bsdtar writes `./a.wav`. A name that leads out of the folder stays as it is and is refused later.
  return parts.includes('..') ? name : path.posix.normalize(name);
}

/** Refuses links, devices and unsupported compression methods. */
function refuseSpecial(entry: Entry, fileName: string): void {
  const { versionMadeBy, externalFileAttributes, compressionMethod } = entry;
  const type = (externalFileAttributes >>> 16) & fileTypeMask;
  if (unixSystems.includes(versionMadeBy >>> 8) && type !== 0 && type !== regularFile) {
    throw refuse(`${fileName} is a link or no plain file`);
  }
  if (entry.isEncrypted()) throw refuse(`${fileName} is encrypted`);
  if (compressionMethod !== 0 && compressionMethod !== 8) {
    throw refuse(`${fileName} is packed in a way that is not read here; pack it with Deflate`);
  }
}

/** Refuses overlapping files, with which zip bombs use the same bytes many times. */
function refuseOverlaps(files: readonly Placed[]): void {
  const ordered = [...files];
  ordered.sort((a, b) => a.entry.relativeOffsetOfLocalHeader - b.entry.relativeOffsetOfLocalHeader);
  let end = 0;
  for (const { entry, name } of ordered) {
    const start = entry.relativeOffsetOfLocalHeader;
    if (start < end) throw refuse(`${shownValue(name)} overlaps another file in it`);
    end = start + localHeaderBytes + entry.fileNameLength + entry.compressedSize;
  }
}

function checkCrc(entry: Entry, name: string): Transform {
  let sum = 0;
  return new Transform({
    transform(chunk: Buffer, _, next) {
      sum = crc32(chunk, sum);
      next(null, chunk);
    },
    flush(next) {
      next(sum === entry.crc32 ? null : new Error(`${name} is damaged (CRC-32)`));
    },
  });
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('malformed-request', message, { cause });
}
