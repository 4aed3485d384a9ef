import { openCheckedFiles } from './checked-file';

/** Raise it whenever decoding, mixing or resampling gives other samples than before. */
const decoderVersion = 2;

/** Decoded windows on disk, so that a second run starts in a moment. */
export interface ClipCache {
  /**
   * What is heard of a recording, one window at most; undefined when it is not kept or the file is
   * damaged.
   */
  load(contentHash: string): Promise<Float32Array | undefined>;
  store(contentHash: string, samples: Float32Array): Promise<void>;
}

/**
 * A file a recording, named by what it depends on: the recording's content, the form it was brought to
 * and the decoder's version. In it: the samples (Float32, little-endian).
 *
 * @throws AppError invalid-configuration when the folder cannot be made
 */
export async function openClipCache(
  folder: string,
  form: { readonly sampleRate: number; readonly samples: number; readonly removeOffset: boolean },
): Promise<ClipCache> {
  const files = await openCheckedFiles(folder, 'Decoded clips');
  const keyOf = (contentHash: string): string =>
    [contentHash, form.sampleRate, form.samples, form.removeOffset, decoderVersion].join(' ');
  return {
    load: async (contentHash) => {
      const content = await files.load(keyOf(contentHash));
      if (content === undefined || content.length > form.samples * 4) return undefined;
      const samples = new Float32Array(content.length / 4);
      new Uint8Array(samples.buffer).set(content);
      return samples;
    },
    store: (contentHash, samples) =>
      files.store(keyOf(contentHash), new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)),
  };
}
