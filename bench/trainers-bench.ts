import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { jobRequestSchema } from '../shared/contracts/job-kinds';
import { createBullQueue } from '../shared/jobs/create-bull-queue';
import { createLogger } from '../shared/observability/logger';
import { RedisProcess } from '../test/support/redis-process';
import { option, projectFolder } from './service';

const trainerMain = join(projectFolder, 'dist', 'services', 'trainer', 'main.js');

/**
 * Measures what a second trainer saves: a cross-validation of four runs with one Redis, by one trainer
 * and by two, each with one thread. Needs redis-server, and ESC-10 in DATA_DIR.
 */
export async function benchTrainers(): Promise<void> {
  const epochs = option('epochs', 12);
  console.log(`\nCross-validation of four runs of the \`cnn\`, ${epochs} epochs, one thread a trainer.\n`);
  console.log('| trainers | seconds | share of one trainer’s |\n|---|---|---|');
  const alone = await seconds(1, epochs);
  for (const [trainers, taken] of [[1, alone] as const, [2, await seconds(2, epochs)] as const]) {
    console.log(`| ${trainers} | ${taken.toFixed(1)} | ${(taken / alone).toFixed(2)} |`);
  }
}

/** Seconds from the submission to the end of the parent job; the trainers are started before. */
async function seconds(trainers: number, epochs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-trainers-'));
  const redis = await RedisProcess.start();
  const queue = createBullQueue(redis.url, { logger: createLogger('silent') });
  const env = {
    ...process.env,
    REDIS_URL: redis.url,
    ENGINE_THREADS: '1',
    DATA_DIR: resolve(process.env['DATA_DIR'] ?? '../shared/esc10'),
    RUNS_DIR: join(folder, 'runs'),
    MODELS_DIR: join(folder, 'models'),
  };
  const workers = Array.from({ length: trainers }, () =>
    spawn(process.execPath, [trainerMain, 'work'], { env, stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  try {
    await Promise.all(workers.map(({ stdout }) => once(stdout, 'data')));
    const startedMs = performance.now();
    const { job } = await queue.submit(
      jobRequestSchema.parse({
        kind: 'train',
        architecture: 'cnn',
        hyperparameters: { epochs },
        protocol: { crossValidate: true },
      }),
    );
    for await (const { job: now } of queue.events(job.id, { signal: AbortSignal.timeout(600_000) })) {
      if (now.state === 'failed') throw new Error(now.error?.message);
      if (now.state === 'finished') return (performance.now() - startedMs) / 1000;
    }
    throw new Error('The job did not end in ten minutes.');
  } finally {
    for (const worker of workers) worker.kill('SIGTERM');
    await Promise.all(workers.map((worker) => once(worker, 'close')));
    await queue.close();
    await redis.remove();
    await rm(folder, { recursive: true, force: true });
  }
}
