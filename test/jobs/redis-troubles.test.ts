import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import Redis from 'ioredis';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { assertRedisUrl } from '../../shared/jobs/redis-connection';
import { quiet, tinyRequest, trainerMain } from '../support/job-fixture';
import { fileNeeds } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';
import { rejection } from '../support/rejection';

fileNeeds(redisServer);

const secret = 'a-wrong-secret';
let redis: RedisProcess;
let admin: Redis;
const queues: JobQueue[] = [];

beforeAll(async () => {
  redis = await RedisProcess.start();
  admin = new Redis(redis.url);
});
afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
});
afterAll(async () => {
  admin.disconnect();
  await redis.remove();
});

function open(url: string): JobQueue {
  const queue = createBullQueue(url, { logger: quiet });
  queues.push(queue);
  return queue;
}

/** The trainer's command, until it ends. */
async function work(REDIS_URL: string): Promise<{ readonly code: number; readonly printed: string }> {
  const child: ChildProcess = spawn(process.execPath, [trainerMain, 'work', '--until-idle', '2'], {
    env: { ...process.env, REDIS_URL, LOG_LEVEL: 'trace' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (text) => (printed += String(text)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, printed };
}

describe('a trainer whose Redis cannot be used', () => {
  it('says where that is and why, without the password, and ends with 69', async () => {
    await admin.config('SET', 'requirepass', 'right');
    const wrong = await work(`redis://:${secret}@127.0.0.1:${redis.port}`);
    const none = await work(redis.url);
    await admin.config('SET', 'requirepass', '');
    const closed = await work(`redis://:${secret}@127.0.0.1:1`);
    expect([wrong.code, none.code, closed.code]).toEqual([69, 69, 69]);
    expect(wrong.printed).toMatch(new RegExp(`127\\.0\\.0\\.1:${redis.port}.*WRONGPASS`));
    expect(none.printed).toContain('NOAUTH');
    expect(closed.printed).toContain('ECONNREFUSED 127.0.0.1:1');
    for (const { printed } of [wrong, none, closed]) expect(printed).not.toContain(secret);
  });
});

describe('REDIS_URL', () => {
  it.each([
    'redis://:50%off@host',
    'redis://:pa/ss@host',
    'redis://user:12#34@host',
    'redis://:12?34@host:6379',
    'redis://host/jobs',
  ])('is refused in words where it holds what must be encoded: %s', (url) => {
    expect(() => {
      assertRedisUrl(url);
    }).toThrow(/REDIS_URL: /);
  });

  it('is taken with what is encoded', () => {
    assertRedisUrl('rediss://user:50%25%2F%40%23@host:6380/2');
  });
});

describe('what Redis answers', () => {
  it.each([
    ['OOM', ['maxmemory', '1'], ['maxmemory', '0']],
    ['NOREPLICAS', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0']],
  ] as const)('is told: %s', async (answer, setting, before) => {
    const queue = open(redis.url);
    await queue.list();
    await admin.config('SET', ...setting);
    const error = await rejection(queue.submit(tinyRequest()));
    await admin.config('SET', ...before);
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining(answer) });
    expect(JSON.stringify(error)).not.toContain('hyperparameters');
  });

  it('is told where the user may not do it, or is not known', async () => {
    await admin.call(
      'ACL',
      'SETUSER',
      'reader',
      'on',
      `>${secret}`,
      '~*',
      '&*',
      '+@read',
      '+info',
      '+client',
    );
    const reader = open(`redis://reader:${secret}@127.0.0.1:${redis.port}`);
    await expect(rejection(reader.submit(tinyRequest()))).resolves.toMatchObject({
      message: expect.stringContaining('NOPERM'),
    });
    const nobody = open(`redis://nobody:${secret}@127.0.0.1:${redis.port}`);
    await expect(rejection(nobody.list())).resolves.toMatchObject({
      message: expect.stringMatching(/WRONGPASS|NOAUTH/),
    });
  });

  it('is a warning where its policy removes jobs', async () => {
    expect(open(redis.url).warnings()).toEqual([]);
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const queue = open(redis.url);
    while (queue.warnings().length === 0) await queue.list();
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    expect(queue.warnings()).toEqual([expect.stringContaining('allkeys-lru')]);
  });
});

/**
 * A fixed address before several servers: new connections go to `target`, open ones stay where they are.
 */
class FixedAddress {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  target: number;

  constructor(target: number) {
    this.target = target;
    this.#server = createServer((near) => {
      const far = connect(this.target, '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    }).listen(0, '127.0.0.1');
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await once(this.#server, 'listening');
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

describe('a failover behind a fixed address', () => {
  it('leads to a new connection, and no job is refused', async () => {
    const replica = await RedisProcess.start();
    const replicaAdmin = new Redis(replica.url);
    const address = new FixedAddress(redis.port);
    try {
      const queue = open(await address.url());
      await queue.submit(tinyRequest());
      await replicaAdmin.replicaof('127.0.0.1', redis.port);
      while (!(await replicaAdmin.info('replication')).includes('master_link_status:up'));
      await replicaAdmin.replicaof('NO', 'ONE');
      address.target = replica.port;
      await admin.replicaof('127.0.0.1', replica.port);
      const { job } = await queue.submit(tinyRequest());
      expect(JSON.parse((await replicaAdmin.hget('earshot:jobs', job.id))!)).toMatchObject({ ready: true });
      expect(await queue.list()).toHaveLength(2);
    } finally {
      await admin.replicaof('NO', 'ONE');
      replicaAdmin.disconnect();
      await replica.remove();
      address.close();
    }
  });
});
