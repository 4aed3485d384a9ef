import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Job } from '../shared/contracts/job';
import { jobRequestSchema, type JobRequest } from '../shared/contracts/job-kinds';
import { AppError } from '../shared/errors/app-error';
import { createBullQueue } from '../shared/jobs/create-bull-queue';
import type { JobQueue } from '../shared/jobs/job-queue';
import { isEnded } from '../shared/jobs/job-record';
import { createLogger } from '../shared/observability/logger';
import { RedisProcess } from '../test/support/redis-process';
import { call, option, projectFolder, sleep, startService, type BenchService } from './service';

const trainerMain = join(projectFolder, 'dist', 'services', 'trainer', 'main.js');
const outageMs = 60_000;

/**
 * Kills Redis for a minute while a job runs for minutes on one thread and a second trainer waits.
 * Reports how often the job ran, how many epochs were lost, and whether the service stayed ready. Needs
 * redis-server, and ESC-10 in DATA_DIR.
 */
export async function benchOutage(): Promise<void> {
  const minutes = option('minutes', 11);
  const folder = await mkdtemp(join(tmpdir(), 'earshot-outage-'));
  const redis = await RedisProcess.start();
  const queue = createBullQueue(redis.url, { logger: createLogger('silent') });
  const env = {
    REDIS_URL: redis.url,
    RUNS_DIR: join(folder, 'runs'),
    DATASETS_DIR: join(folder, 'datasets'),
    DATA_DIR: resolve(process.env['DATA_DIR'] ?? '../shared/esc10'),
  };
  const attempts: string[] = [];
  const trainers = Array.from({ length: 2 }, () => {
    const own = { ...process.env, ...env, ENGINE_THREADS: '1', MODELS_DIR: join(folder, 'models') };
    const child = spawn(process.execPath, [trainerMain, 'work'], {
      env: own,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      attempts.push(...text.split('\n').filter((line) => line.includes('attempt ended')));
    });
    return child;
  });
  const service = await startService(env);
  try {
    const requestOf = (epochs: number): JobRequest =>
      jobRequestSchema.parse({ kind: 'train', architecture: 'cnn', hyperparameters: { epochs } });
    const trial = await follow(queue, (await queue.submit(requestOf(6))).job.id, () => undefined);
    const secondsEach = trial.at(-1)!.progress!.latest!.seconds;
    const epochs = Math.ceil((minutes * 60) / secondsEach);
    attempts.length = 0;
    const { job } = await queue.submit(requestOf(epochs));
    const watching = watchService(service);
    let outage: Promise<string> | undefined;
    const startedMs = performance.now();
    const seen = await follow(queue, job.id, ({ progress }) => {
      if ((progress?.epoch ?? 0) >= epochs / 2) outage ??= breakRedis(redis, queue, requestOf(1));
    });
    const seconds = (performance.now() - startedMs) / 1000;
    const refused = await outage;
    const { asked, notReady } = await watching.end();
    const last = seen.at(-1)!;
    console.log(
      `\nA job of ${epochs} epochs on one thread, Redis killed for a minute in the middle of it:\n`,
    );
    console.log('| | |\n|---|---|');
    console.log(`| the job | ${last.state}, ${last.progress?.epoch ?? 0} of ${epochs} epochs |`);
    console.log(`| took | ${seconds.toFixed(0)} s |`);
    console.log(`| attempts, by its record | ${last.attempts} |`);
    console.log(`| attempts, by both trainers' logs | ${attempts.length} |`);
    console.log(`| a new job during the outage | ${refused ?? 'there was no outage'} |`);
    console.log(`| the service, asked ${asked} times whether it is ready | ${notReady} times not |`);
  } finally {
    for (const trainer of trainers) trainer.kill('SIGTERM');
    await Promise.all(trainers.map((trainer) => once(trainer, 'close')));
    await service.stop();
    await queue.close();
    await redis.remove();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Collects the states of a job until it has ended; reconnects after a lost connection. */
async function follow(queue: JobQueue, id: string, onChange: (job: Job) => void): Promise<Job[]> {
  const seen: Job[] = [];
  for (;;) {
    try {
      for await (const { job } of queue.events(id, { signal: AbortSignal.timeout(3_600_000) })) {
        seen.push(job);
        onChange(job);
        if (isEnded(job)) return seen;
      }
    } catch (error) {
      if (AppError.from(error).code !== 'unreachable') throw error;
      await sleep(1000);
    }
  }
}

/** Kills Redis and restarts it after a minute. @returns the outcome of a job submitted meanwhile */
async function breakRedis(redis: RedisProcess, queue: JobQueue, request: JobRequest): Promise<string> {
  await redis.kill();
  const backMs = performance.now() + outageMs;
  await sleep(outageMs / 2);
  const startedMs = performance.now();
  const outcome = await queue.submit(request).then(
    () => 'taken',
    (error: unknown) => `refused as ${AppError.from(error).code}`,
  );
  const seconds = (performance.now() - startedMs) / 1000;
  await sleep(backMs - performance.now());
  await redis.restart();
  return `${outcome}, after ${seconds.toFixed(1)} s`;
}

function watchService({ port }: BenchService): { end(): Promise<{ asked: number; notReady: number }> } {
  let [asked, notReady, ended] = [0, 0, false];
  const watching = (async () => {
    while (!ended) {
      asked += 1;
      if ((await call(port, 'GET', '/readyz')).status !== 200) notReady += 1;
      await sleep(500);
    }
  })();
  return {
    end: async () => {
      ended = true;
      await watching;
      return { asked, notReady };
    },
  };
}
