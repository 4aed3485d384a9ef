import { join, resolve } from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../../../shared/access/cache-folder';
import { commonSettings, encoderCacheFolder } from '../../../shared/environment';
import { lockTimes, type LockTimes } from '../../../shared/jobs/work-queue';
import { optional, readSettings, setting, whole, type ValuesOf } from '../../../shared/settings';

const settings = {
  ...commonSettings,
  dataFolder: setting(
    'DATA_DIR',
    z.string().transform((path) => resolve(path)),
    join('data', 'ESC-50'),
    'The data set to train on.',
  ),
  jobLockSeconds: optional(
    'JOB_LOCK_SECONDS',
    whole(1, 3600),
    'Seconds after which the job of a lost trainer goes to another one.',
  ),
};

export type TrainerConfig = ValuesOf<typeof settings> & {
  readonly lockTimes: LockTimes;
  readonly encoderCacheFolder: string;
  /** Decoded clips. */
  readonly clipCacheFolder: string;
};

/** @throws AppError invalid-configuration listing every variable that is wrong */
export function readTrainerConfig(env: NodeJS.ProcessEnv = process.env): TrainerConfig {
  const values = readSettings(settings, env);
  const { jobLockSeconds } = values;
  return Object.freeze({
    ...values,
    lockTimes: jobLockSeconds === undefined ? lockTimes : lockTimesFor(jobLockSeconds * 1000),
    encoderCacheFolder: encoderCacheFolder(env),
    clipCacheFolder: cacheFolder('clips', env),
  });
}

function lockTimesFor(lockDurationMs: number): LockTimes {
  const [renewals, checks] = [9, 6];
  return {
    lockDurationMs,
    lockRenewMs: Math.ceil(lockDurationMs / renewals),
    stalledIntervalMs: Math.ceil(lockDurationMs / checks),
  };
}
