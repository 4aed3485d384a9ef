import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

interface Known {
  readonly identity: string;
  readonly sha256: Promise<string>;
}

/** Files whose digests are remembered; the one that was asked for least lately goes. */
const maxKnown = 256;
const known = new Map<string, Known>();

/**
 * The SHA-256 of a file, in hexadecimal: read once, in pieces, as long as the file is the same one, of the same size and unchanged since (by its
 * times of modification and of change, to the nanosecond); also when it is asked for twice at once.
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
    // What could not be read is read again.
    if (known.get(file) === entry) known.delete(file);
    throw error;
  }
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
