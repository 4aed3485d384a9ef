import { createDecoderPool, maxDecodeThreads } from '../../../shared/decode/pool/decoder-pool';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { recordedKind } from '../../../shared/contracts/calibration';
import { windowFormat, type FrontEnds } from '../../../shared/contracts/members';
import { examplesOf, type Example } from '../optimise/predict';
import type { Dataset } from '../data/dataset';
import { madeSounds } from './made-sounds';
import { speechSounds } from './speech';

/** The same for every version, so that versions compare. */
const seed = 1;

/**
 * Sounds that are none of the classes, by kind, as a network hears them: made ones, speech where
 * espeak-ng is installed, and the recordings that a dataset has of other things.
 * @param cores to decode on; all that may be used unless given
 */
export async function otherSounds(
  recordings: Dataset['others'],
  frontEnds: FrontEnds,
  engine: LoadedEngine,
  cores: number | undefined,
): Promise<Readonly<Record<string, readonly Example[]>>> {
  const { sampleRate, windowSeconds } = windowFormat({ frontEnds });
  const decoder = createDecoderPool({ threads: maxDecodeThreads(cores) });
  try {
    const sounds = [
      // Silence is known by its level, whatever a network makes of it.
      ...madeSounds(sampleRate, windowSeconds, seed).filter(({ kind }) => kind !== 'silence'),
      ...(await speechSounds(decoder, sampleRate)),
      ...recordings.map(({ samples }) => ({ kind: recordedKind, samples })),
    ];
    return Object.fromEntries(
      [...new Set(sounds.map(({ kind }) => kind))].map((kind) => [
        kind,
        examplesOf(
          sounds.filter((sound) => sound.kind === kind).map(({ samples }) => ({ label: -1, samples })),
          frontEnds,
          engine,
        ),
      ]),
    );
  } finally {
    await decoder.close();
  }
}
