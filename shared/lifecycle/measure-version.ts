import { goldenClips } from '../audio/golden-clips';
import type { EngineChoice } from '../engine/choose-engine';
import type { Inference } from '../engine/inference';
import { startInference } from '../engine/start-inference';
import { readGolden } from '../registry/golden-file';
import type { Version } from '../registry/registry';
import { gateLimits, type Measured } from './gate';
import { measureParity } from './golden-parity';

const timedWindows = 9;

/**
 * What the gate must know of a candidate and only an engine can tell: loads it into a thread of its own, computes the golden clips
 * and takes the time of single windows. The current version is timed too, where the candidate needs the comparison.
 * @throws AppError engine-unavailable when it does not load, invalid-checkpoint when its golden file is damaged
 */
export async function measureVersion(
  candidate: Version,
  current: Version | undefined,
  choice: EngineChoice,
): Promise<Measured> {
  const golden = await readGolden(candidate.folder);
  const measured = await withInference(candidate, choice, async (inference) => ({
    engine: inference.engine,
    parity: golden === undefined ? undefined : await measureParity(inference, golden),
    windowMs: await medianWindowMs(inference),
  }));
  const compare = measured.windowMs > gateLimits.latencyBudgetMs && current !== undefined;
  const currentWindowMs = compare ? await withInference(current, choice, medianWindowMs) : undefined;
  return { ...measured, currentWindowMs };
}

async function withInference<T>(
  version: Version,
  choice: EngineChoice,
  use: (inference: Inference) => Promise<T>,
): Promise<T> {
  const inference = await startInference({ choice, version, warmUpBatches: [1] });
  try {
    return await use(inference);
  } finally {
    await inference.close();
  }
}

/** Each time another window: what an engine remembers of frames is no help. */
async function medianWindowMs(inference: Inference): Promise<number> {
  const { sampleRate, windowSeconds } = inference.manifest.frontEnd;
  const { samples } = goldenClips(sampleRate, windowSeconds)[0]!;
  const times: number[] = [];
  for (let turn = 0; turn < timedWindows; turn += 1) {
    const window = samples.map((value) => value * (1 - turn / (2 * timedWindows)));
    times.push((await inference.infer([window])).inferenceMs);
  }
  return times.sort((a, b) => a - b)[Math.floor(timedWindows / 2)]!;
}
