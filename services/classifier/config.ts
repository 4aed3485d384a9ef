import { isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { privateFolders } from '../../shared/access/private-folder';
import { engineWishes, kernelsWishes } from '../../shared/compute/provide/choose-engine';
import { AppError } from '../../shared/errors/app-error';
import { normaliseOrigin } from './access/origin';
import { logLevels } from '../../shared/observability/logger';
import { parseTrustedProxies } from './access/address';

const mebibyte = 1024 * 1024;
/** The package's, wherever the process is started; this file is compiled to dist/services/classifier. */
const ownModelsFolder = join(__dirname, '..', '..', '..', 'models');

/** A whole number, written in digits. */
function whole(minimum: number, maximum: number) {
  const error = `expected a whole number from ${minimum} to ${maximum}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, error);
}

/** Texts with commas between them. */
function listOf(entry: RegExp, error: string, normalise: (text: string) => string) {
  return z
    .string()
    .transform((list) => list.split(',').map(normalise))
    .refine((list) => list.every((text) => entry.test(text)), error);
}

const origins = listOf(
  /^(\*|null|file:\/\/|[a-z][a-z0-9+.-]*:\/\/[^\s/]+)$/,
  'expected origins as https://app.example.com, null or file://, with commas between them, or *',
  normaliseOrigin,
);

const hosts = listOf(
  /^(\*|[\w.-]+(:\d+)?|\[[\da-f:.]+\](:\d+)?)$/,
  'expected names as earshot.example.com, with commas between them, or *',
  (host) => host.trim().toLowerCase(),
);

/** Addresses and networks with commas between them. */
function proxies() {
  const error = 'expected addresses or networks as 10.0.0.0/8, with commas between them';
  return z
    .string()
    .refine((list) => parseTrustedProxies(list) !== undefined, error)
    .transform((list) => parseTrustedProxies(list)!);
}

/** The environment, as `.env.example` explains it to people. */
const environmentSchema = z
  .object({
    HOST: z.string().default('127.0.0.1'),
    PORT: whole(0, 65_535).default(8080),
    MODELS_DIR: z.string().default(ownModelsFolder),
    MODEL_VERSION: z.string().optional(),
    MODEL_LOAD_SECONDS: whole(1, 3600).default(120),
    ENGINE: z.enum(engineWishes).default('auto'),
    ENGINE_KERNELS: z.enum(kernelsWishes).default('auto'),
    ENGINE_THREADS: whole(1, 256).optional(),
    ENCODER: z.string().default('auto'),
    MAX_UPLOAD_BYTES: whole(1024, 1024 * mebibyte).default(25 * mebibyte),
    DATASETS_DIR: z.string().default('datasets'),
    MAX_DATASET_BYTES: whole(1024, 1024 * 1024 * mebibyte).default(2048 * mebibyte),
    MAX_CLIP_SECONDS: whole(1, 86_400).default(600),
    BATCH_MAX_WINDOWS: whole(1, 1024).default(16),
    BATCH_MAX_DELAY_MS: whole(0, 10_000).default(5),
    QUEUE_MAX_WINDOWS: whole(1, 100_000).default(512),
    MAX_CONCURRENT_REQUESTS: whole(1, 10_000).default(64),
    REQUEST_DEADLINE_SECONDS: whole(1, 3600).default(60),
    MAX_STREAMS: whole(0, 100_000).default(128),
    STREAM_SHARE_PERCENT: whole(1, 100).default(80),
    ALLOWED_ORIGINS: origins.default([]),
    ALLOWED_HOSTS: hosts.default([]),
    TRUSTED_PROXIES: proxies().prefault(''),
    API_KEYS_FILE: z.string().optional(),
    ADMIN_KEY_DIR: z.string().refine(isAbsolute, 'expected an absolute path').optional(),
    REDIS_URL: z
      .string()
      .regex(/^rediss?:\/\//, 'expected redis://… or rediss://…')
      .optional(),
    JOBS_DIR: z.string().default('jobs'),
    RUNS_DIR: z.string().default('runs'),
    RUNS_KEEP_HOURS: whole(0, 87_600).default(168),
    DECODE_THREADS: whole(1, 64).optional(),
    DRAIN_SECONDS: whole(1, 3600).default(25),
    LOG_LEVEL: z.enum(logLevels).default('info'),
  })
  .refine((env) => !(env.BATCH_MAX_WINDOWS > env.QUEUE_MAX_WINDOWS), {
    path: ['BATCH_MAX_WINDOWS'],
    error: 'a batch cannot be larger than the queue (QUEUE_MAX_WINDOWS)',
    // Also when another variable is wrong: all problems come in one list.
    when: () => true,
  });

export const environmentKeys = Object.keys(environmentSchema.shape);

export type Config = ReturnType<typeof toConfig>;

/**
 * The configuration, from an environment; a variable set to nothing counts as not set.
 * @throws AppError invalid-configuration whose message has a line for every problem
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environmentSchema.safeParse(given);
  if (parsed.success) return toConfig(parsed.data, privateFolders(given));
  const lines = parsed.error.issues.map(({ path, message }) => {
    const name = path.join('.');
    // What may hold a password is not repeated.
    const value = name === 'REDIS_URL' ? undefined : given[name];
    return `  ${name}${value === undefined ? '' : `=${value}`}: ${message}`;
  });
  throw new AppError('invalid-configuration', `The environment is not valid:\n${lines.join('\n')}`);
}

function toConfig(env: z.infer<typeof environmentSchema>, adminKeyFolders: readonly string[]) {
  return Object.freeze({
    host: env.HOST,
    port: env.PORT,
    modelsFolder: resolve(env.MODELS_DIR),
    modelVersion: env.MODEL_VERSION,
    modelLoadMs: env.MODEL_LOAD_SECONDS * 1000,
    engine: env.ENGINE,
    engineKernels: env.ENGINE_KERNELS,
    engineThreads: env.ENGINE_THREADS,
    encoder: env.ENCODER,
    maxUploadBytes: env.MAX_UPLOAD_BYTES,
    datasetsFolder: resolve(env.DATASETS_DIR),
    maxDatasetBytes: env.MAX_DATASET_BYTES,
    maxClipSeconds: env.MAX_CLIP_SECONDS,
    batchMaxWindows: env.BATCH_MAX_WINDOWS,
    batchMaxDelayMs: env.BATCH_MAX_DELAY_MS,
    queueMaxWindows: env.QUEUE_MAX_WINDOWS,
    maxConcurrentRequests: env.MAX_CONCURRENT_REQUESTS,
    requestDeadlineMs: env.REQUEST_DEADLINE_SECONDS * 1000,
    maxStreams: env.MAX_STREAMS,
    streamShare: env.STREAM_SHARE_PERCENT / 100,
    allowedOrigins: env.ALLOWED_ORIGINS,
    allowedHosts: env.ALLOWED_HOSTS,
    trustedProxies: env.TRUSTED_PROXIES,
    apiKeysFile: env.API_KEYS_FILE,
    adminKeyFolders,
    redisUrl: env.REDIS_URL,
    jobsFolder: resolve(env.JOBS_DIR),
    runsFolder: resolve(env.RUNS_DIR),
    runsKeepMs: env.RUNS_KEEP_HOURS * 3_600_000,
    decodeThreads: env.DECODE_THREADS,
    drainMs: env.DRAIN_SECONDS * 1000,
    logLevel: env.LOG_LEVEL,
  });
}
