import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classificationSchema } from '../../shared/contracts/classification';
import { jobSchema, type Job } from '../../shared/contracts/job';
import { pcmWav } from '../support/pcm-clips';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';

let folder: string;
let service: ServiceProcess;

/** The service with folders of its own, on an engine that trains. */
function start(): ServiceProcess {
  service = new ServiceProcess({
    ENGINE: 'cpu',
    MODELS_DIR: join(folder, 'models'),
    JOBS_DIR: join(folder, 'jobs'),
    RUNS_DIR: join(folder, 'runs'),
    DATASETS_DIR: join(folder, 'datasets'),
  });
  return service;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-own-'));
  await publishRandomModel(join(folder, 'models'), 'cnn-before');
});
afterEach(async () => {
  await service.kill();
  await rm(folder, { recursive: true, force: true });
});

/** A tone of five seconds at 16 kHz that comes and goes. */
function tone(hertz: number): Buffer {
  const samples = Array.from({ length: 80_000 }, (_, i) => {
    const time = i / 16_000;
    return 0.4 * Math.sin(2 * Math.PI * hertz * time) * (0.6 + 0.4 * Math.sin(2 * Math.PI * 3 * time));
  });
  return pcmWav(samples, 16_000);
}

const blob = (bytes: Buffer | string): Blob =>
  new Blob([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)]);

/** Ten recordings of two sounds, and no folds: those are the service's to make. */
async function bringSounds(url: string): Promise<void> {
  const form = new FormData();
  const lines = ['filename,category'];
  for (let take = 0; take < 5; take++) {
    for (const [category, hertz] of [
      ['fridge hum', 180 + 9 * take],
      ['kettle whistle', 2900 + 70 * take],
    ] as const) {
      const filename = `${category.replace(' ', '-')}-${take}.wav`;
      form.append('files', blob(tone(hertz)), filename);
      lines.push(`${filename},${category}`);
    }
  }
  form.append('files', blob(lines.join('\n')), 'sounds.csv');
  const headers = await service.adminHeaders();
  const answer = await fetch(`${url}/datasets?name=kitchen`, { method: 'POST', body: form, headers });
  expect([answer.status, await answer.clone().text()]).toEqual([
    201,
    expect.stringContaining('kettle whistle'),
  ]);
}

async function submit(url: string, request: object): Promise<Job> {
  const body = JSON.stringify({ kind: 'train', dataset: 'kitchen', architecture: 'cnn', ...request });
  const headers = {
    ...(await service.adminHeaders()),
    'Content-Type': 'application/json',
    'Idempotency-Key': 'once',
  };
  const answer = await fetch(`${url}/jobs`, { method: 'POST', body, headers });
  const job = jobSchema.parse(await answer.json());
  expect([answer.status, answer.headers.get('location')]).toEqual([202, `/jobs/${job.id}`]);
  return job;
}

/** Follows the server-sent events of a job until it is as wanted. */
async function follow(url: string, { id }: Job, wanted: (job: Job) => boolean): Promise<Job> {
  const { body } = await fetch(`${url}/jobs/${id}/events`);
  let text = '';
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data === undefined) continue;
      const job = jobSchema.parse(JSON.parse(data));
      if (wanted(job)) return job;
      if (job.state === 'failed') throw new Error(JSON.stringify(job.error));
    }
  }
  throw new Error('The events ended first.');
}

it('trains on the sounds that somebody brings, and answers with their names once the version is promoted', async () => {
  const url = await start().url();
  await service.line('loaded and warmed up');
  await bringSounds(url);
  const job = await submit(url, { hyperparameters: { epochs: 12, batchSize: 3 } });
  const { result } = await follow(url, job, ({ state }) => state === 'finished');
  const [version] = result!.versions;

  // Other classes than those served must be asked for by name.
  const promote = async (waive: readonly string[]): Promise<Response> =>
    fetch(`${url}/models/${version}/promote`, {
      method: 'POST',
      body: JSON.stringify({ waive }),
      headers: { ...(await service.adminHeaders()), 'Content-Type': 'application/json' },
    });
  expect((await promote([])).status).toBe(409);
  const promoted = await promote(['classes', 'accuracy', 'recall', 'latency']);
  expect([promoted.status, await promoted.clone().text()]).toEqual([200, expect.anything()]);

  for (const [hertz, label] of [
    [205, 'fridge hum'],
    [3050, 'kettle whistle'],
  ] as const) {
    const answer = await fetch(`${url}/classify`, { method: 'POST', body: new Uint8Array(tone(hertz)) });
    const classification = classificationSchema.parse(await answer.json());
    expect([classification.model.version, classification.label]).toEqual([version, label]);
  }
}, 120_000);

it('goes on with a job after the service was killed in the middle of it', async () => {
  const url = await start().url();
  await service.line('loaded and warmed up');
  await bringSounds(url);
  const job = await submit(url, { hyperparameters: { epochs: 60, batchSize: 3 } });
  const begun = await follow(url, job, ({ progress }) => (progress?.epoch ?? 0) >= 2);
  await service.kill();

  const again = await start().url();
  const finished = await follow(again, job, ({ state }) => state === 'finished');
  expect(finished.attempts).toBe(begun.attempts + 1);
  const [version] = finished.result!.versions;
  expect(existsSync(join(folder, 'models', version!, 'weights.bin'))).toBe(true);
  // The same key after the crash is still the same job.
  expect((await submit(again, { hyperparameters: { epochs: 60, batchSize: 3 } })).id).toBe(job.id);
}, 120_000);
