import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { epochMetricsSchema } from '../../shared/contracts/report';
import { AppError } from '../../shared/errors/app-error';
import type { WeightValues } from '../../shared/registry/weights-file';
import type { StateValues } from './network-state';
import { runSettingsSchema } from './run-settings';
import { readTensorFile, writeTensorFile } from './tensor-file';

const progressSchema = z.strictObject({
  settings: runSettingsSchema,
  dataFingerprint: z.string(),
  engine: z.string(),
  step: z.int().min(0),
  history: z.array(epochMetricsSchema),
  /** The epoch whose weights are in `best-<epoch>.bin`; 0 before the first. */
  bestEpoch: z.int().min(0),
});
/** Where a run stands after its last whole epoch. */
export type RunProgress = z.infer<typeof progressSchema>;

export interface SavedRun {
  readonly progress: RunProgress;
  readonly state: StateValues;
  readonly bestWeights: WeightValues;
}

/** A run's folder: `state.bin` (everything the next epoch needs) and the best epoch's weights. */
export interface RunStore {
  readonly folder: string;
  /** Undefined: no epoch was finished yet. @throws AppError invalid-checkpoint when the state is damaged */
  load(): Promise<SavedRun | undefined>;
  /** A kill at any moment leaves the state before or after, never a mixture. */
  save(run: SavedRun): Promise<void>;
  clear(): Promise<void>;
}

export async function openRunStore(runsFolder: string, name: string): Promise<RunStore> {
  const folder = join(runsFolder, name);
  await mkdir(folder, { recursive: true });
  const stateFile = join(folder, 'state.bin');
  const bestFile = (epoch: number): string => join(folder, `best-${epoch}.bin`);
  let savedBestEpoch = 0;

  return {
    folder,
    load: async () => {
      const file = await readTensorFile(stateFile).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      });
      if (file === undefined) return undefined;
      const parsed = progressSchema.safeParse(file.about);
      if (!parsed.success) {
        const message = `${stateFile} was written by another version of Earshot: start anew with --fresh.`;
        throw new AppError('invalid-checkpoint', message, { cause: parsed.error });
      }
      const progress = parsed.data;
      const best = await readTensorFile(bestFile(progress.bestEpoch));
      savedBestEpoch = progress.bestEpoch;
      return {
        progress,
        state: {
          step: progress.step,
          weights: file.groups['weights']!,
          firstMoments: file.groups['firstMoments']!,
          secondMoments: file.groups['secondMoments']!,
          ...(file.groups['averages'] === undefined ? {} : { averages: file.groups['averages'] }),
        },
        bestWeights: best.groups['weights']!,
      };
    },
    save: async ({ progress, state, bestWeights }) => {
      const { weights, firstMoments, secondMoments, averages } = state;
      const means = averages === undefined ? {} : { averages };
      const isNewBest = progress.bestEpoch !== savedBestEpoch;
      // The best weights first: a state that names them must find them.
      if (isNewBest) {
        await writeTensorFile(bestFile(progress.bestEpoch), {
          about: { epoch: progress.bestEpoch },
          groups: { weights: bestWeights },
        });
      }
      await writeTensorFile(stateFile, {
        about: progress,
        groups: { weights, firstMoments, secondMoments, ...means },
      });
      if (isNewBest) await removeOtherBests(folder, progress.bestEpoch);
      savedBestEpoch = progress.bestEpoch;
    },
    clear: async () => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      savedBestEpoch = 0;
    },
  };
}

async function removeOtherBests(folder: string, keptEpoch: number): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (/^best-\d+\.bin/.test(entry) && entry !== `best-${keptEpoch}.bin`) await rm(join(folder, entry));
  }
}
