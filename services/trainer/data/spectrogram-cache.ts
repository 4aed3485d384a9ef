import type { MelSpectrogram } from '../../../shared/front-end/log-mel';
import type { LogMelFrontEnd } from '../../../shared/contracts/front-end';
import { openCheckedFiles } from './checked-file';

/** Raise it whenever a spectrogram, a speed copy or a taught sound comes out otherwise than before. */
const makerVersion = 2;

/** Spectrograms that belong together, made once and kept. */
export interface SpectrogramCache {
  /**
   * @param key all that they depend on, the front end and the code aside
   * @param make is called when they are not there
   */
  of(key: string, make: () => MelSpectrogram[]): Promise<MelSpectrogram[]>;
}

export const noCache: SpectrogramCache = { of: (_, make) => Promise.resolve(make()) };

/** @throws AppError invalid-configuration when the folder cannot be written to */
export async function openSpectrogramCache(
  folder: string,
  frontEnd: LogMelFrontEnd,
): Promise<SpectrogramCache> {
  const files = await openCheckedFiles(folder, 'Spectrograms');
  const { sampleRate, windowSeconds, fftSamples, hopSamples, melBins, lowestHz, highestHz } = frontEnd;
  const form = { sampleRate, windowSeconds, fftSamples, hopSamples, melBins, lowestHz, highestHz };
  return {
    of: async (key, make) => {
      const fullKey = JSON.stringify([makerVersion, form, key]);
      const kept = await files.load(fullKey);
      if (kept !== undefined) return unpacked(kept, melBins);
      const made = make();
      await files.store(fullKey, packed(made));
      return made;
    },
  };
}

/** One after the other, all of it Float32: the number of frames, their levels, their power. */
function packed(spectrograms: readonly MelSpectrogram[]): Uint8Array {
  const parts = spectrograms.flatMap(({ frames, power, levels }) => [Float32Array.of(frames), levels, power]);
  return Buffer.concat(
    parts.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

function unpacked(content: Buffer, melBins: number): MelSpectrogram[] {
  const values = new Float32Array(content.length / 4);
  new Uint8Array(values.buffer).set(content);
  const spectrograms: MelSpectrogram[] = [];
  for (let at = 0; at < values.length;) {
    const frames = values[at]!;
    const [levels, power] = [at + 1, at + 1 + frames];
    at = power + frames * melBins;
    spectrograms.push({ frames, levels: values.subarray(levels, power), power: values.subarray(power, at) });
  }
  return spectrograms;
}
