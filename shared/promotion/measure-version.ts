import { windowFormat } from '../contracts/members';
import { goldenClips } from '../front-end/golden-clips';
import type { EngineChoice } from '../compute/provide/choose-engine';
import type { Inference } from '../compute/inference/inference';
import { startInference } from '../compute/inference/start-inference';
import { withTimeout } from '../runtime/with-timeout';
import { readGolden } from '../registry/golden-file';
import type { Version } from '../registry/registry';
import { gateLimits, type Measured } from './gate';
import { measureParity } from './golden-parity';

const timedWindows = 9;
const timedBatches = 3;

export interface MeasureOptions {
  readonly choice: EngineChoice;
  readonly limitMs: number;
  /** Times a batch of so many windows too. */
  readonly batchWindows?: number;
  /** Whether others come first, and it is what the system ends first where memory is short. */
  readonly isExpendable?: boolean;
}

/**
 * Measures a candidate for the gate: loads it in a thread, computes the golden clips and times single
 * windows. The current version is timed too where the comparison is needed.
 * @param how the engine, and the time limit for loading and for measuring a version
 * @throws AppError engine-unavailable when it does not load or exceeds the time limit;
 * invalid-checkpoint when its golden file is damaged
 */
export async function measureVersion(
  candidate: Version,
  current: Version | undefined,
  how: MeasureOptions,
): Promise<Measured> {
  const measured = await withInference(candidate, how, async (inference) => {
    const golden = await readGolden(candidate.folder);
    return {
      engine: inference.engine,
      parity: golden === undefined ? undefined : await measureParity(inference, golden),
      windowMs: await medianWindowMs(inference),
      batchWindowMs: how.batchWindows && (await medianWindowMs(inference, how.batchWindows, timedBatches)),
    };
  });
  const compare = measured.windowMs > gateLimits.latencyBudgetMs && current !== undefined;
  const currentWindowMs = compare
    ? await withInference(current, how, (inference) => medianWindowMs(inference))
    : undefined;
  return { ...measured, currentWindowMs };
}

async function withInference<T>(
  version: Version,
  { choice, limitMs, batchWindows = 1 }: MeasureOptions,
  use: (inference: Inference) => Promise<T>,
): Promise<T> {
  const inference = await startInference({
    choice,
    version,
    warmUpBatches: [...new Set([1, batchWindows])],
    limitMs,
  });
  try {
    const used = await withTimeout(`Measuring ${version.manifest.version}`, limitMs, use(inference));
    await inference.close();
    return used;
  } catch (error) {
    // A hanging thread may never end, so this is not awaited.
    void inference.close();
    throw error;
  }
}

/**
 * Milliseconds of a window, in batches of `batchWindows`. Every window is another one, so that an
 * engine's cache of frames does not help.
 */
async function medianWindowMs(
  inference: Inference,
  batchWindows = 1,
  repeats = timedWindows,
): Promise<number> {
  const { sampleRate, windowSeconds } = windowFormat(inference.manifest);
  const { samples } = goldenClips(sampleRate, windowSeconds)[0]!;
  const times: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const windows = Array.from({ length: batchWindows }, (_, place) => {
      const gain = 1 - (repeat * batchWindows + place) / (2 * repeats * batchWindows);
      return samples.map((value) => value * gain);
    });
    times.push((await inference.infer(windows)).inferenceMs / batchWindows);
  }
  return times.sort((a, b) => a - b)[Math.floor(repeats / 2)]!;
}
