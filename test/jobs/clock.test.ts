import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Job } from '../../shared/contracts/job';
import { createJobFixture, tinyRequest, type JobFixture } from '../support/job-fixture';
import { describeWith, program } from '../support/needs';

const required = (module: string): string => JSON.stringify(require.resolve(module));
const request = tinyRequest({ epochs: 6 });

let fixture: JobFixture;

beforeAll(async () => {
  fixture = await createJobFixture();
});

afterAll(async () => {
  await fixture.remove();
});

/**
 * Two jobs; in the second epoch of the first, while the other waits, the clock of this process and its
 * children goes back a day.
 */
function trainWhileClockGoesBack(clock: string): string {
  return `
    const { createStartRun } = require(${required('../../shared/jobs/child-run')});
    const { createEmbeddedQueue } = require(${required('../../shared/jobs/create-embedded-queue')});
    const { jobUntil, quiet, trainerMain } = require(${required('../support/job-fixture')});
    const { writeFileSync } = require('node:fs');
    const request = ${JSON.stringify(request)};
    (async () => {
      const queue = await createEmbeddedQueue(${JSON.stringify(join(fixture.folder, 'queue'))}, {
        logger: quiet,
        startRun: createStartRun(trainerMain, { ...process.env, ...${JSON.stringify(fixture.env)} }),
      });
      const first = (await queue.submit(request)).job;
      const waiting = (await queue.submit({ ...request, seed: 2 })).job;
      await jobUntil(queue, first.id, ({ progress }) => progress?.epoch === 2);
      writeFileSync(${JSON.stringify(clock)}, '-1d\\n');
      const late = (await queue.submit({ ...request, seed: 3 })).job;
      await jobUntil(queue, late.id);
      const listed = await queue.list();
      await queue.close();
      console.log(JSON.stringify({ listed, submitted: [first.id, waiting.id, late.id] }));
    })();`;
}

describeWith(program('faketime'))('a clock that is set back while one job runs and another waits', () => {
  it('changes neither their order nor what they compute', async () => {
    const clock = join(fixture.folder, 'clock');
    await writeFile(clock, '+0\n');
    await mkdir(join(fixture.folder, 'queue'));
    // faketime finds its library; the time then comes from the file, read at every look at the clock.
    const settings = [
      `FAKETIME_TIMESTAMP_FILE=${clock}`,
      'FAKETIME_NO_CACHE=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ];
    const script = [process.execPath, '-e', trainWhileClockGoesBack(clock)];
    const { stdout } = await promisify(execFile)('faketime', [
      '-f',
      '+0',
      'env',
      '-u',
      'FAKETIME',
      ...settings,
      ...script,
    ]);
    const { listed, submitted } = JSON.parse(stdout) as { listed: Job[]; submitted: string[] };
    const jobs = listed.reverse();
    expect(jobs.map(({ id }) => id)).toEqual(submitted);
    expect(jobs.map(({ state, attempts }) => [state, attempts])).toEqual(Array(3).fill(['finished', 1]));
    const [first, waiting, late] = jobs as [Job, Job, Job];
    // The clock did go back: the first ended before it began, and the last came before both.
    expect(Date.parse(first.finishedAt!)).toBeLessThan(Date.parse(first.startedAt!));
    expect(Date.parse(late.createdAt)).toBeLessThan(Date.parse(waiting.createdAt));
    // One after the other, in the order of submission.
    expect(Date.parse(waiting.startedAt!)).toBeGreaterThanOrEqual(Date.parse(first.finishedAt!));
    expect(Date.parse(late.startedAt!)).toBeGreaterThanOrEqual(Date.parse(waiting.finishedAt!));

    const order = { job: { ...first, id: 'undisturbed' }, children: [] };
    const undisturbed = await fixture.startRun(order, () => undefined).outcome;
    expect(undisturbed).toMatchObject({
      type: 'finished',
      result: { runs: [{ sha256: first.result!.runs[0]!.sha256 }] },
    });
  });
});
