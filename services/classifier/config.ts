import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { privateFolders } from '../../shared/access/private-folder';
import { commonSettings } from '../../shared/environment';
import { duration, optional, readSettings, setting, whole, type ValuesOf } from '../../shared/settings';
import { parseTrustedProxies } from './access/address';
import { normaliseOrigin } from './access/origin';

const mebibyte = 1024 * 1024;

/** Texts with commas between them. */
function listOf(entry: RegExp, error: string, normalise: (text: string) => string) {
  return z
    .string()
    .transform((list) => (list === '' ? [] : list.split(',').map(normalise)))
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

/** Every setting of the service; `.env.example` shows them to people, and a test compares the two. */
export const settings = {
  host: setting('HOST', z.string(), '127.0.0.1', 'Where it listens. 0.0.0.0 opens it to the network.'),
  port: setting('PORT', whole(0, 65_535), '8080', '0 picks a free port; the log says which.'),
  ...commonSettings,
  modelVersion: optional(
    'MODEL_VERSION',
    z.string(),
    'Serve this version whatever is promoted; unset: the promoted one, else the one with the best' +
      ' validation accuracy.',
  ),
  maxUploadBytes: setting(
    'MAX_UPLOAD_BYTES',
    whole(1024, 1024 * mebibyte),
    '26214400',
    'Largest upload. Times MAX_CONCURRENT_REQUESTS it bounds the memory that uploads take, those ' +
      'on their way included.',
  ),
  maxDatasetBytes: setting(
    'MAX_DATASET_BYTES',
    whole(1024, 1024 * 1024 * mebibyte),
    '2147483648',
    'Largest dataset, packed and unpacked.',
  ),
  maxClipSeconds: setting('MAX_CLIP_SECONDS', whole(1, 86_400), '600', 'Longest recording.'),
  batchMaxWindows: setting(
    'BATCH_MAX_WINDOWS',
    whole(1, 1024),
    '16',
    'Windows that the engine judges in one go: more is faster in all, and slower for each.',
  ),
  queueMaxWindows: setting(
    'QUEUE_MAX_WINDOWS',
    whole(1, 100_000),
    '512',
    'Windows that may wait for the engine; beyond that: 429. A caller with less than half of them' +
      ' still has its half.',
  ),
  maxConcurrentRequests: setting(
    'MAX_CONCURRENT_REQUESTS',
    whole(1, 10_000),
    '64',
    'Recordings decoded or classified at a time; beyond that: 429. Where others come, no caller ' +
      'has more than half.',
  ),
  requestDeadlineMs: setting(
    'REQUEST_DEADLINE_SECONDS',
    duration(1, 3600, 1000),
    '60',
    'From the last byte of an upload to its answer; who would wait longer is refused at once. A ' +
      'request may ask for less: X-Request-Timeout, in seconds.',
  ),
  maxStreams: setting(
    'MAX_STREAMS',
    whole(0, 100_000),
    '128',
    'Streams open at a time, as far as the engine keeps up; beyond that: 503. Where others come, ' +
      'no caller has more than half.',
  ),
  streamShare: setting(
    'STREAM_SHARE_PERCENT',
    whole(1, 100).transform((percent) => percent / 100),
    '80',
    'Streams go before uploads, up to this share of the engine.',
  ),
  allowedOrigins: setting(
    'ALLOWED_ORIGINS',
    origins,
    '',
    'Other origins whose pages may use the service, with commas between them; * for any; null and' +
      ' file:// for what has no host. Its own pages always may.',
  ),
  allowedHosts: setting(
    'ALLOWED_HOSTS',
    hosts,
    '',
    "Where HOST is this machine's alone: names by which it is asked for besides localhost, as a " +
      'proxy in front passes them on; * for any.',
  ),
  trustedProxies: setting(
    'TRUSTED_PROXIES',
    proxies(),
    '',
    'Proxies in front of the service, with commas between them: 10.0.0.7, or networks as ' +
      '10.0.0.0/8. Their X-Forwarded-For says who asks; without keys what there is is shared by ' +
      'address, and everybody behind a proxy that is not listed here counts as one caller.',
  ),
  apiKeysFile: optional(
    'API_KEYS_FILE',
    z.string(),
    'JSON file of API keys (docs/operation.md); unset: everybody is let in.',
  ),
  adminKeyFolder: optional(
    'ADMIN_KEY_DIR',
    z.string().refine(isAbsolute, 'expected an absolute path'),
    'Folder, by its absolute path, in which the service leaves the admin key that it makes at ' +
      'each start where API_KEYS_FILE has none, and where `npx earshot` looks for it. Unset: ' +
      'earshot/ in XDG_STATE_HOME, ~/.local/state or XDG_RUNTIME_DIR, else in the temporary folder.',
  ),
  jobsFolder: setting(
    'JOBS_DIR',
    z.string().transform((path) => resolve(path)),
    'jobs',
    'Folder of the jobs that this service works on by itself; one service at a time may have it.',
  ),
  decodeThreads: optional(
    'DECODE_THREADS',
    whole(1, 64),
    'Threads that decode; unset: one less than there are cores, at most 4.',
  ),
  decodedAudioMaxBytes: optional(
    'DECODED_AUDIO_MAX_BYTES',
    whole(128 * mebibyte, 1024 * 1024 * mebibyte),
    'What recordings may take in memory once decoded, all together. An upload waits for its turn, and' +
      ' gets 503 when its time is over; one that alone would take more than seven eighths is refused' +
      ' as too long. Unset: a quarter of the memory limit of the control group, at least 128 MiB and' +
      ' at most 1 GiB; 1 GiB without a limit.',
  ),
  drainMs: setting(
    'DRAIN_SECONDS',
    duration(1, 3600, 1000),
    '25',
    'After SIGTERM: how long accepted requests may take to finish.',
  ),
};

export const environmentKeys: readonly string[] = Object.values(settings).map(({ name }) => name);

export type Config = ValuesOf<typeof settings> & {
  /** Where the admin key is left, the best place first. */
  readonly adminKeyFolders: readonly string[];
};

/** @throws AppError invalid-configuration whose message has a line for every problem */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const values = readSettings(settings, env, ({ batchMaxWindows = 0, queueMaxWindows = Infinity }) => {
    if (batchMaxWindows <= queueMaxWindows) return {};
    return { BATCH_MAX_WINDOWS: 'a batch cannot be larger than the queue (QUEUE_MAX_WINDOWS)' };
  });
  return Object.freeze({ ...values, adminKeyFolders: privateFolders(env) });
}
