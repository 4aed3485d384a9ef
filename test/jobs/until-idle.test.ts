import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createBullQueue } from '../../shared/jobs/create-bull-queue';
import { createJobFixture, quiet, tinyRequest, trainerMain } from '../support/job-fixture';
import { fileNeeds } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';

fileNeeds(redisServer);

it('a trainer that is to work until it is idle does what waits, then ends with 0', async () => {
  const fixture = await createJobFixture();
  const redis = await RedisProcess.start();
  const queue = createBullQueue(redis.url, { logger: quiet });
  const env = { ...fixture.env, REDIS_URL: redis.url };
  try {
    const submitted = [await queue.submit(tinyRequest()), await queue.submit(tinyRequest({}, { seed: 2 }))];
    const trainer = spawn(process.execPath, [trainerMain, 'work', '--until-idle', '2'], {
      env,
      stdio: 'ignore',
    });
    const [code] = (await once(trainer, 'close')) as [number | null];
    expect(code).toBe(0);
    for (const { job } of submitted) expect(await queue.get(job.id)).toMatchObject({ state: 'finished' });

    const mistyped = spawn(process.execPath, [trainerMain, 'work', '--until-idel', '2'], {
      env,
      stdio: 'ignore',
    });
    expect(await once(mistyped, 'close')).toEqual([64, null]);
  } finally {
    await queue.close();
    await redis.remove();
    await fixture.remove();
  }
});
