import type Redis from 'ioredis';
import { jobRecordSchema, type JobRecord } from './job-record';
import type { JobStore } from './job-store';

/** Two connections: one that listens can do nothing else. */
export interface RedisStoreOptions {
  readonly client: Redis;
  readonly subscriber: Redis;
  /** Runs commands; says what happens when Redis cannot be reached. */
  readonly reach: <T>(commands: () => Promise<T>) => Promise<T>;
}

const keys = { records: 'earshot:jobs', idempotency: 'earshot:job-keys', sequence: 'earshot:job-sequence' };
const channel = 'earshot:job-changes';

/** KEYS: records, idempotency, sequence. ARGV: the key or '', then id and record in turn. */
const insertScript = `
  if ARGV[1] ~= '' then
    local known = redis.call('hget', KEYS[2], ARGV[1])
    if known then
      local record = redis.call('hget', KEYS[1], known)
      if record then return record end
    end
    redis.call('hset', KEYS[2], ARGV[1], ARGV[2])
  end
  for i = 2, #ARGV, 2 do
    if redis.call('hexists', KEYS[1], ARGV[i]) == 0 then
      local sequence = redis.call('incr', KEYS[3])
      local record = string.gsub(ARGV[i + 1], '"sequence":0', '"sequence":' .. sequence, 1)
      redis.call('hset', KEYS[1], ARGV[i], record)
      redis.call('publish', '${channel}', ARGV[i])
    end
  end
  return redis.call('hget', KEYS[1], ARGV[2])`;

/** KEYS: records. ARGV: id, the revision that is replaced, record. */
const replaceScript = `
  local before = redis.call('hget', KEYS[1], ARGV[1])
  if not before or cjson.decode(before).revision ~= tonumber(ARGV[2]) then return 0 end
  redis.call('hset', KEYS[1], ARGV[1], ARGV[3])
  redis.call('publish', '${channel}', ARGV[1])
  return 1`;

/** Records in Redis: one hash, changed by scripts, so that of two changes to one revision one wins. */
export function openRedisStore({ client, subscriber, reach }: RedisStoreOptions): JobStore {
  const listeners = new Set<(id: string | undefined) => void>();
  const tell = (id: string | undefined): void => {
    for (const listener of listeners) listener(id);
  };
  subscriber.on('message', (_channel, id: string) => {
    tell(id);
  });
  // After a lost connection the subscription is renewed by itself; what was said meanwhile is not repeated.
  const subscribe = (): void => {
    subscriber.subscribe(channel).then(
      () => {
        tell(undefined);
      },
      () => undefined,
    );
  };
  subscriber.on('ready', subscribe);
  if (subscriber.status === 'ready') subscribe();

  return {
    insert: (added) =>
      reach(async () => {
        const given = added.flatMap((record) => [record.job.id, serialise(record)]);
        const { records, idempotency, sequence } = keys;
        const stored = await client.eval(
          ...[insertScript, 3, records, idempotency, sequence],
          added[0]!.key ?? '',
          ...given,
        );
        return parse(stored as string);
      }),
    read: (id) =>
      reach(async () => {
        const stored = await client.hget(keys.records, id);
        return stored === null ? undefined : parse(stored);
      }),
    all: () =>
      reach(async () => {
        const stored = await client.hvals(keys.records);
        return stored.map(parse).sort((a, b) => a.sequence - b.sequence);
      }),
    replace: (record) =>
      reach(async () => {
        const { id } = record.job;
        const before = record.revision - 1;
        return (await client.eval(replaceScript, 1, keys.records, id, before, JSON.stringify(record))) === 1;
      }),
    remove: (ids) =>
      reach(async () => {
        const stored = await client.hmget(keys.records, ...ids);
        const known = stored.flatMap((text) => (text === null ? [] : (parse(text).key ?? [])));
        await client.hdel(keys.records, ...ids);
        if (known.length > 0) await client.hdel(keys.idempotency, ...known);
      }),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** `sequence` comes first, where the script finds it whatever a request holds. */
function serialise({ sequence, ...record }: JobRecord): string {
  return JSON.stringify({ sequence, ...record });
}

function parse(text: string): JobRecord {
  return jobRecordSchema.parse(JSON.parse(text));
}
