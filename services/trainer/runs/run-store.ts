import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { epochMetricsSchema } from '../../../shared/contracts/report';
import { AppError } from '../../../shared/errors/app-error';
import type { WeightValues } from '../../../shared/registry/weights-file';
import { flagOf } from '../options/command-line';
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

/** A network in training as plain values: its weights and all that its next step depends on. */
export interface StateValues {
  /** Optimiser steps taken. */
  readonly step: number;
  readonly weights: WeightValues;
  /** The first moments of the trainable parameters' gradients. */
  readonly firstMoments: WeightValues;
  readonly secondMoments: WeightValues;
}

export interface SavedRun {
  readonly progress: RunProgress;
  readonly state: StateValues;
  readonly bestWeights: WeightValues;
}

/** A run's folder: the state (everything the next epoch needs) and the best epoch's weights. */
export interface RunStore {
  readonly folder: string;
  /**
   * Undefined: no epoch was finished yet. @throws AppError invalid-checkpoint when the state is damaged
   */
  load(): Promise<SavedRun | undefined>;
  /** A kill at any moment leaves the state before or after, never a mixture. */
  save(run: SavedRun): Promise<void>;
  clear(): Promise<void>;
}

/**
 * @param attempt of the job that the run belongs to; 0: of none. It stands in the files' names, and the
 *   highest counts: whoever was taken for lost, and is not, can write at any moment and yet overwrite
 *   nothing of a later attempt.
 */
export async function openRunStore(runsFolder: string, name: string, attempt = 0): Promise<RunStore> {
  const folder = join(runsFolder, name);
  await mkdir(folder, { recursive: true });
  /** Undefined: this attempt has saved none yet. */
  let savedBestEpoch: number | undefined;

  return {
    folder,
    load: async () => {
      for (let triesLeft = 3; ; triesLeft--) {
        const latest = Math.max(...(await attemptsIn(folder)));
        if (latest === -Infinity) return undefined;
        try {
          return await readRun(folder, latest);
        } catch (error) {
          // An earlier attempt, which lives, took the best epoch's weights away after we had read which
          // they are.
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || triesLeft === 0) throw error;
        }
      }
    },
    save: async ({ progress, state, bestWeights }) => {
      const { weights, firstMoments, secondMoments } = state;
      const isNewBest = progress.bestEpoch !== savedBestEpoch;
      // The best weights first: a state that names them must find them.
      if (isNewBest) {
        await writeTensorFile(join(folder, bestName(attempt, progress.bestEpoch)), {
          about: { epoch: progress.bestEpoch },
          groups: { weights: bestWeights },
        });
      }
      await writeTensorFile(join(folder, stateName(attempt)), {
        about: progress,
        groups: { weights, firstMoments, secondMoments },
      });
      if (isNewBest) await removeEarlier(folder, attempt, progress.bestEpoch);
      savedBestEpoch = progress.bestEpoch;
    },
    clear: async () => {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      savedBestEpoch = undefined;
    },
  };
}

function stateName(attempt: number): string {
  return attempt === 0 ? 'state.bin' : `state.${attempt}.bin`;
}

function bestName(attempt: number, epoch: number): string {
  return attempt === 0 ? `best-${epoch}.bin` : `best-${epoch}.${attempt}.bin`;
}

const statePattern = /^state(?:\.(\d+))?\.bin$/;
/** Whatever an attempt writes, and what it was writing when it was killed. */
const anyPattern = /^(?:state|best-\d+)(?:\.(\d+))?\.bin/;

/** The attempts that have saved a state. */
async function attemptsIn(folder: string): Promise<number[]> {
  return (await readdir(folder)).flatMap((entry) => {
    const found = statePattern.exec(entry);
    return found === null ? [] : [Number(found[1] ?? 0)];
  });
}

async function readRun(folder: string, attempt: number): Promise<SavedRun> {
  const stateFile = join(folder, stateName(attempt));
  const { about, groups } = await readTensorFile(stateFile);
  const parsed = progressSchema.safeParse(about);
  if (!parsed.success) {
    const message = `${stateFile} was written by another version of Earshot: start anew with ${flagOf('fresh')}.`;
    throw new AppError('invalid-checkpoint', message, { cause: parsed.error });
  }
  const progress = parsed.data;
  const best = await readTensorFile(join(folder, bestName(attempt, progress.bestEpoch)));
  return {
    progress,
    state: {
      step: progress.step,
      weights: groups['weights']!,
      firstMoments: groups['firstMoments']!,
      secondMoments: groups['secondMoments']!,
    },
    bestWeights: best.groups['weights']!,
  };
}

/** What this attempt and those before it no longer need; a later one's is not ours. */
async function removeEarlier(folder: string, attempt: number, bestEpoch: number): Promise<void> {
  const kept = [stateName(attempt), bestName(attempt, bestEpoch)];
  for (const entry of await readdir(folder)) {
    const found = anyPattern.exec(entry);
    if (found !== null && Number(found[1] ?? 0) <= attempt && !kept.includes(entry)) {
      await rm(join(folder, entry), { force: true });
    }
  }
}
