import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job } from '../../shared/contracts/job';
import type { CrossValidation } from '../../shared/contracts/report';
import { openRegistry } from '../../shared/registry/registry';
import { createEmbeddedQueue } from '../../shared/jobs/create-embedded-queue';
import { createJobFixture, jobUntil, quiet, tinyRequest, type JobFixture } from '../support/job-fixture';

const request = tinyRequest({ epochs: 2 }, { protocol: { testFold: 1, crossValidate: true } });

let fixture: JobFixture;

beforeAll(async () => {
  fixture = await createJobFixture();
});

afterAll(async () => {
  await fixture.remove();
});

it('cross-validates as a job of one run a validation fold, whose figures are the result of their parent', async () => {
  const begun: string[] = [];
  const queue = await createEmbeddedQueue(join(fixture.folder, 'queue'), {
    logger: quiet,
    startRun: (order, onProgress) => {
      begun.push(order.job.id);
      return fixture.startRun(order, onProgress);
    },
  });
  try {
    const { id } = (await queue.submit(request)).job;
    const done = await jobUntil(queue, id);
    const ids = [1, 2, 3, 4].map((run) => `${id}-${run}`);
    expect(done).toMatchObject({ state: 'finished', children: ids });
    // It found its runs finished, and trained no epoch itself.
    expect(done.progress).toBeUndefined();
    // Planned, each run once, then published.
    expect(begun).toEqual([id, ...ids, id]);

    const children: Job[] = await Promise.all(ids.map((child) => queue.get(child)));
    expect(children.map((child) => child.request)).toMatchObject(
      [2, 3, 4, 5].map((validationFold) => ({
        protocol: { testFold: 1, validationFold, crossValidate: false },
      })),
    );
    const shown = children.map(({ result }) => result!.runs[0]!);
    expect(new Set(shown.map(({ sha256 }) => sha256)).size).toBe(4);
    expect(shown.every(({ testAccuracy }) => testAccuracy === undefined)).toBe(true);

    // The report's networks are only compared: nothing is published.
    expect(done.result).toEqual({ versions: [], runs: shown });
    expect((await openRegistry(join(fixture.folder, 'models')).list()).versions).toEqual([]);
    const file = join(fixture.folder, 'runs/jobs', id, 'cross-validation-transformer-t1-s1.json');
    const summary = JSON.parse(await readFile(file, 'utf8')) as CrossValidation;
    expect(summary.folds.map(({ validationFold }) => validationFold)).toEqual([2, 3, 4, 5]);
    const accuracies = shown.map(({ validationAccuracy }) => validationAccuracy);
    expect(summary.folds.map(({ best }) => best?.validationAccuracy)).toEqual(accuracies);
    const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / 4;
    expect(summary.best?.validationAccuracy.mean).toBeCloseTo(mean, 12);
  } finally {
    await queue.close();
  }
}, 60_000);
