import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { engineWishes, kernelsWishes } from '../../shared/engine/choose-engine';
import { AppError } from '../../shared/errors/app-error';

const environmentSchema = z.object({
  DATA_DIR: z.string().min(1).default(join('data', 'ESC-50')),
  RUNS_DIR: z.string().min(1).default('runs'),
  MODELS_DIR: z.string().min(1).default('models'),
  ENGINE: z.enum(engineWishes).default('auto'),
  ENGINE_KERNELS: z.enum(kernelsWishes).default('auto'),
  ENGINE_THREADS: z.coerce.number().pipe(z.int().positive()).optional(),
  XDG_CACHE_HOME: z.string().min(1).default(join(homedir(), '.cache')),
});

export interface TrainerConfig {
  readonly dataFolder: string;
  readonly runsFolder: string;
  readonly modelsFolder: string;
  readonly engine: (typeof engineWishes)[number];
  readonly engineKernels: (typeof kernelsWishes)[number];
  readonly engineThreads: number | undefined;
  /** Decoded clips. */
  readonly clipCacheFolder: string;
}

/** @throws AppError invalid-configuration listing every variable that is wrong */
export function readTrainerConfig(environment: NodeJS.ProcessEnv): TrainerConfig {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new AppError('invalid-configuration', problems.join('\n'));
  }
  const { DATA_DIR, RUNS_DIR, MODELS_DIR, ENGINE, ENGINE_KERNELS, ENGINE_THREADS, XDG_CACHE_HOME } =
    parsed.data;
  return Object.freeze({
    dataFolder: resolve(DATA_DIR),
    runsFolder: resolve(RUNS_DIR),
    modelsFolder: resolve(MODELS_DIR),
    engine: ENGINE,
    engineKernels: ENGINE_KERNELS,
    engineThreads: ENGINE_THREADS,
    clipCacheFolder: join(XDG_CACHE_HOME, 'earshot', 'clips'),
  });
}
