import { join, resolve } from 'node:path';
import { z } from 'zod';
import { cacheFolder } from '../../shared/access/cache-folder';
import { engineWishes, kernelsWishes } from '../../shared/compute/provide/choose-engine';
import type { EncoderWish } from '../../shared/compute/provide/provide-encoder';
import { lockTimes, type LockTimes } from '../../shared/jobs/work-queue';
import { logLevels } from '../../shared/observability/logger';
import { AppError } from '../../shared/errors/app-error';

/** The package's, as the service's is; this file is compiled to dist/services/trainer. */
const ownModelsFolder = join(__dirname, '..', '..', '..', 'models');

const environmentSchema = z.object({
  DATA_DIR: z.string().min(1).default(join('data', 'ESC-50')),
  RUNS_DIR: z.string().min(1).default('runs'),
  MODELS_DIR: z.string().min(1).default(ownModelsFolder),
  MODEL_LOAD_SECONDS: z.coerce.number().pipe(z.number().min(1).max(3600)).default(120),
  /** After its job has ended; for what can be resumed, after its job is forgotten. */
  RUNS_KEEP_HOURS: z.coerce.number().pipe(z.number().min(0).max(87_600)).default(168),
  ENGINE: z.enum(engineWishes).default('auto'),
  ENGINE_KERNELS: z.enum(kernelsWishes).default('auto'),
  ENGINE_THREADS: z.coerce.number().pipe(z.int().positive()).optional(),
  ENCODER: z.string().min(1).default('auto'),
  REDIS_URL: z.string().optional(),
  /** Seconds after which a lost trainer's job goes to another one. */
  JOB_LOCK_SECONDS: z.coerce.number().pipe(z.number().min(1).max(3600)).optional(),
  DATASETS_DIR: z.string().min(1).default('datasets'),
  LOG_LEVEL: z.enum(logLevels).default('info'),
});

export interface TrainerConfig {
  readonly dataFolder: string;
  readonly runsFolder: string;
  readonly runsKeepMs: number;
  readonly modelsFolder: string;
  /** How long the gate lets a version load, and then be measured. */
  readonly modelLoadMs: number;
  readonly engine: (typeof engineWishes)[number];
  readonly engineKernels: (typeof kernelsWishes)[number];
  readonly engineThreads: number | undefined;
  /** `auto`, `off` or the path of the pretrained encoder's file. */
  readonly encoder: EncoderWish;
  readonly encoderCacheFolder: string;
  /** Folders with what users brought. */
  readonly datasetsFolder: string;
  readonly redisUrl: string | undefined;
  readonly lockTimes: LockTimes;
  readonly logLevel: (typeof logLevels)[number];
  /** Decoded clips. */
  readonly clipCacheFolder: string;
  /** Spectrograms of what networks are trained on. */
  readonly spectrogramCacheFolder: string;
}

/** @throws AppError invalid-configuration listing every variable that is wrong */
export function readTrainerConfig(environment: NodeJS.ProcessEnv): TrainerConfig {
  // A variable set to nothing counts as not set.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new AppError('invalid-configuration', problems.join('\n'));
  }
  const { DATA_DIR, RUNS_DIR, MODELS_DIR, DATASETS_DIR, REDIS_URL, JOB_LOCK_SECONDS, LOG_LEVEL } =
    parsed.data;
  const { ENGINE, ENGINE_KERNELS, ENGINE_THREADS, MODEL_LOAD_SECONDS, RUNS_KEEP_HOURS } = parsed.data;
  return Object.freeze({
    dataFolder: resolve(DATA_DIR),
    runsFolder: resolve(RUNS_DIR),
    runsKeepMs: RUNS_KEEP_HOURS * 3_600_000,
    modelsFolder: resolve(MODELS_DIR),
    modelLoadMs: MODEL_LOAD_SECONDS * 1000,
    datasetsFolder: resolve(DATASETS_DIR),
    redisUrl: REDIS_URL,
    lockTimes: JOB_LOCK_SECONDS === undefined ? lockTimes : lockTimesFor(JOB_LOCK_SECONDS * 1000),
    logLevel: LOG_LEVEL,
    engine: ENGINE,
    engineKernels: ENGINE_KERNELS,
    engineThreads: ENGINE_THREADS,
    encoder: parsed.data.ENCODER,
    encoderCacheFolder: cacheFolder('encoder', environment),
    clipCacheFolder: cacheFolder('clips', environment),
    spectrogramCacheFolder: cacheFolder('spectrograms', environment),
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
