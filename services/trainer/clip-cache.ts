import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../shared/errors/app-error';

/** Raise it whenever decoding, mixing or resampling gives other samples than before. */
const decoderVersion = 1;

const checksumBytes = 32;

/** Decoded windows on disk, so that a second run starts in a moment. */
export interface ClipCache {
  /** The window kept for a recording, or undefined when there is none or the file is damaged. */
  load(contentHash: string): Promise<Float32Array | undefined>;
  store(contentHash: string, samples: Float32Array): Promise<void>;
}

/**
 * A file a recording, named by what it depends on: the recording's content, the form it was brought to
 * and the decoder's version. In it: the sha256 of the samples, then the samples (Float32, little-endian).
 *
 * @throws AppError invalid-configuration when the folder cannot be made
 */
export async function openClipCache(
  folder: string,
  form: { readonly sampleRate: number; readonly samples: number },
): Promise<ClipCache> {
  await mkdir(folder, { recursive: true }).catch((caught: unknown) => {
    throw unwritable(folder, caught);
  });
  const fileOf = (contentHash: string): string => {
    const key = [contentHash, form.sampleRate, form.samples, decoderVersion].join(' ');
    return path.join(folder, `${sha256(key).toString('hex')}.f32`);
  };
  return {
    load: async (contentHash) => {
      const bytes = await readFile(fileOf(contentHash)).catch(() => undefined);
      if (bytes?.length !== checksumBytes + form.samples * 4) return undefined;
      const payload = bytes.subarray(checksumBytes);
      if (!sha256(payload).equals(bytes.subarray(0, checksumBytes))) return undefined;
      const samples = new Float32Array(form.samples);
      new Uint8Array(samples.buffer).set(payload);
      return samples;
    },
    store: async (contentHash, samples) => {
      const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
      const temporary = path.join(folder, `${randomUUID()}.tmp`);
      try {
        await writeFile(temporary, Buffer.concat([sha256(payload), payload]));
        await rename(temporary, fileOf(contentHash));
      } catch (caught) {
        await rm(temporary, { force: true });
        throw unwritable(folder, caught);
      }
    },
  };
}

export function sha256(content: string | Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

function unwritable(folder: string, cause: unknown): AppError {
  const reason = (cause as Error).message;
  return new AppError(
    'invalid-configuration',
    `Decoded clips cannot be kept in ${folder}: ${reason}. Make room, or choose another cache folder.`,
    { cause },
  );
}
