import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

interface Known {
  readonly identity: string;
  readonly sha256: Promise<string>;
}

/** Number of files whose digests are cached. The least recently requested one is dropped first. */
const maxKnown = 256;
const known = new Map<string, Known>();

/**
 * Returns the SHA-256 of a file in hexadecimal. The file is read as a stream. The digest is cached while
 * device, inode, size and the times of modification and change (in nanoseconds) stay the same. Calls at
 * the same time share one read.
 * @throws the error of the file system
 */
export async function fileSha256(file: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const identity = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  const before = known.get(file);
  known.delete(file);
  const entry = before?.identity === identity ? before : { identity, sha256: digest(file) };
  known.set(file, entry);
  const oldest = known.keys().next();
  if (known.size > maxKnown && oldest.done !== true) known.delete(oldest.value);
  try {
    return await entry.sha256;
  } catch (error) {
    // A failed read is not cached: the next call tries again.
    if (known.get(file) === entry) known.delete(file);
    throw error;
  }
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
