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

/** Texts with semicolons between them: names of classes hold commas. */
function phrases(most: number): z.ZodType<readonly string[], string> {
  return z
    .string()
    .transform((list) =>
      [...new Set(list.split(';').map((text) => text.trim()))].filter((text) => text !== ''),
    )
    .refine((list) => list.length <= most, `expected at most ${most} texts, with semicolons between them`);
}

const secretPattern = /^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/;

/** Signing keys as Standard Webhooks writes them, as bytes. */
const webhookSecrets = z
  .string()
  .transform((list) => list.split(','))
  .refine(
    (list) => list.every((secret) => secretPattern.test(secret)),
    'expected whsec_ and 24 to 64 bytes in base64, as `echo whsec_$(openssl rand -base64 32)` makes it; ' +
      'with commas between several',
  )
  .transform((list) => list.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64')));

/** What leaves the service, and where to. */
const eventSettings = {
  sourceNames: setting(
    'SOURCE_NAMES',
    phrases(100),
    '',
    'Names of sources (`source.name` in `start`), with semicolons between them, at most 100, that have series of ' +
      'their own in /metrics and entities in Home Assistant. All others count as `other`: what callers make up makes no series.',
  ),
  eventsUrl: {
    ...optional(
      'EVENTS_URL',
      z.url({ protocol: /^https?$/, error: 'expected an address as https://example.com/hook' }),
      'Where the events of streams are posted as CloudEvents, signed with EVENTS_SECRET (docs/events.md). Unset: nowhere.',
    ),
    isSecret: true,
  },
  eventSecrets: {
    ...optional(
      'EVENTS_SECRET',
      webhookSecrets,
      'Key of the signatures, `whsec_` and base64, as Standard Webhooks has it; two with a comma between them while one replaces the other.',
    ),
    isSecret: true,
  },
  eventsMqttUrl: {
    ...optional(
      'EVENTS_MQTT_URL',
      z.url({ protocol: /^mqtts?$/, error: 'expected mqtt://… or mqtts://…' }),
      'MQTT 5 broker that events are published to: mqtt://[user:password@]host[:port], mqtts:// for TLS. Unset: none.',
    ),
    isSecret: true,
  },
  eventsFolder: setting(
    'EVENTS_DIR',
    z.string().transform((path) => resolve(path)),
    'events',
    'Folder in which events wait until a receiver has them, and of those that none takes. One service at a time delivers from it.',
  ),
  eventsQueueMaxBytes: setting(
    'EVENTS_QUEUE_MAX_BYTES',
    whole(mebibyte, 1024 * mebibyte),
    '67108864',
    'Largest queue of each receiver on disk (an event takes some 500 bytes); beyond it the oldest are dropped.',
  ),
  eventsRetryMs: setting(
    'EVENTS_RETRY_HOURS',
    duration(1, 8760, 3_600_000),
    '72',
    'An event that still cannot be delivered at this age becomes a dead letter.',
  ),
  eventLabels: setting(
    'EVENTS_LABELS',
    phrases(1000),
    '',
    'Only events of these classes leave, with semicolons between them; unset: all.',
  ),
  eventSources: setting(
    'EVENTS_SOURCES',
    phrases(1000),
    '',
    'Only events of sources of these names leave, with semicolons between them; unset: all.',
  ),
  eventMinConfidence: setting(
    'EVENTS_MIN_CONFIDENCE',
    z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'expected a number from 0 to 1')
      .transform(Number),
    '0',
    'Only events whose peak so far is at least this leave; one that gets there later leaves when it ends.',
  ),
};

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
  maxClipSeconds: setting(
    'MAX_CLIP_SECONDS',
    whole(1, 86_400),
    '600',
    'Longest recording. An hour also takes room in DECODED_AUDIO_MAX_BYTES (8 bytes a sample at the ' +
      'model’s rate) and time in REQUEST_DEADLINE_SECONDS.',
  ),
  batchMaxWindows: optional(
    'BATCH_MAX_WINDOWS',
    whole(1, 1024),
    'Windows that the engine judges in one go: more is faster in all, and slower for each; unset: 16, on a ' +
      'GPU 64.',
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
    'Requests whose recordings are decoded or classified at a time; beyond that: 429. Where others ' +
      'come, no caller has more than half.',
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
      ' gets 429 when its time is over; one that alone would take more than seven eighths is refused' +
      ' as too long. Unset: a quarter of the memory limit of the control group, at least 128 MiB and' +
      ' at most 1 GiB; 1 GiB without a limit.',
  ),
  ...eventSettings,
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
  const values = readSettings(settings, env, conflictsOf);
  return Object.freeze({ ...values, adminKeyFolders: privateFolders(env) });
}

/** What is wrong with values that are right each for itself. */
function conflictsOf(values: Partial<ValuesOf<typeof settings>>): Record<string, string> {
  const { batchMaxWindows = 0, queueMaxWindows = Infinity, eventsUrl, eventSecrets } = values;
  const conflicts: Record<string, string> = {};
  if (batchMaxWindows > queueMaxWindows) {
    conflicts['BATCH_MAX_WINDOWS'] = 'a batch cannot be larger than the queue (QUEUE_MAX_WINDOWS)';
  }
  if (eventsUrl !== undefined && eventSecrets === undefined) {
    conflicts['EVENTS_SECRET'] = 'is needed with EVENTS_URL: receivers tell by it who sends';
  }
  return conflicts;
}
