import type Redis from 'ioredis';
import { readIdAndKey, parseRecord, readRecords, type JobRecord } from './job-record';
import type { JobStore } from './job-store';

/** Two connections, because a subscribed one cannot run other commands. */
export interface RedisStoreOptions {
  readonly client: Redis;
  readonly subscriber: Redis;
  /** Runs commands, and turns connection errors into AppError unreachable. */
  readonly reach: <T>(commands: () => Promise<T>) => Promise<T>;
}

const keys = {
  records: 'earshot:jobs',
  idempotency: 'earshot:job-keys',
  sequence: 'earshot:job-sequence',
  /** Ids of the jobs for which `waitsAsJob` holds. */
  waiting: 'earshot:jobs-waiting',
};
const channel = 'earshot:job-changes';

/** What both scripts do after a record was written. */
const indexFunction = `
  local function index(waiting, id, record)
    local job = cjson.decode(record).job
    redis.call(job.state == 'queued' and not job.parent and 'sadd' or 'srem', waiting, id)
  end`;

/**
 * KEYS: records, idempotency, sequence, waiting. ARGV: the key or '', the limit of waiting jobs or −1,
 * then id and record alternately.
 */
const insertScript = `${indexFunction}
  if ARGV[1] ~= '' then
    local known = redis.call('hget', KEYS[2], ARGV[1])
    if known then
      local record = redis.call('hget', KEYS[1], known)
      if record then return record end
    end
  end
  local most = tonumber(ARGV[2])
  if most >= 0 and redis.call('scard', KEYS[4]) >= most then return false end
  if ARGV[1] ~= '' then redis.call('hset', KEYS[2], ARGV[1], ARGV[3]) end
  for i = 3, #ARGV, 2 do
    if redis.call('hexists', KEYS[1], ARGV[i]) == 0 then
      local sequence = redis.call('incr', KEYS[3])
      local record = string.gsub(ARGV[i + 1], '"sequence":0', '"sequence":' .. sequence, 1)
      redis.call('hset', KEYS[1], ARGV[i], record)
      index(KEYS[4], ARGV[i], record)
      redis.call('publish', '${channel}', ARGV[i])
    end
  end
  return redis.call('hget', KEYS[1], ARGV[3])`;

/** KEYS: records, waiting. ARGV: id, the revision to replace, record. */
const replaceScript = `${indexFunction}
  local before = redis.call('hget', KEYS[1], ARGV[1])
  if not before or cjson.decode(before).revision ~= tonumber(ARGV[2]) then return 0 end
  redis.call('hset', KEYS[1], ARGV[1], ARGV[3])
  index(KEYS[2], ARGV[1], ARGV[3])
  redis.call('publish', '${channel}', ARGV[1])
  return 1`;

/**
 * Stores records in one Redis hash. Lua scripts change it, so that of two changes to one revision
 * exactly one succeeds.
 */
export function openRedisStore({ client, subscriber, reach }: RedisStoreOptions): JobStore {
  const listeners = new Set<(id: string | undefined) => void>();
  const tell = (id: string | undefined): void => {
    for (const listener of listeners) listener(id);
  };
  subscriber.on('message', (_channel, id: string) => {
    tell(id);
  });
  // ioredis renews the subscription after a lost connection; messages in between are lost.
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
    insert: (added, maxWaiting = -1) =>
      reach(async () => {
        const given = added.flatMap((record) => [record.job.id, serialise(record)]);
        const { records, idempotency, sequence, waiting } = keys;
        const stored = await client.eval(
          ...[insertScript, 4, records, idempotency, sequence, waiting],
          ...[added[0]!.key ?? '', maxWaiting, ...given],
        );
        return stored === null
          ? undefined
          : parseRecord(readIdAndKey(stored as string).id ?? 'of this key', stored as string);
      }),
    read: (id) =>
      reach(async () => {
        const stored = await client.hget(keys.records, id);
        return stored === null ? undefined : parseRecord(id, stored);
      }),
    all: () =>
      reach(async () => {
        return readRecords(Object.entries(await client.hgetall(keys.records)));
      }),
    replace: (record) =>
      reach(async () => {
        const { id } = record.job;
        const before = record.revision - 1;
        const given = [id, before, JSON.stringify(record)];
        return (await client.eval(replaceScript, 2, keys.records, keys.waiting, ...given)) === 1;
      }),
    remove: (ids) =>
      reach(async () => {
        const stored = await client.hmget(keys.records, ...ids);
        const known = stored.flatMap((text) => (text === null ? [] : (readIdAndKey(text).key ?? [])));
        await client.hdel(keys.records, ...ids);
        await client.srem(keys.waiting, ...ids);
        if (known.length > 0) await client.hdel(keys.idempotency, ...known);
      }),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Puts `sequence` first, where the script finds it whatever the request contains. */
function serialise({ sequence, ...record }: JobRecord): string {
  return JSON.stringify({ sequence, ...record });
}
