import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EpochMetrics } from '../../shared/contracts/report';
import { openMetricsLog } from '../../services/trainer/runs/metrics-log';

const epochs = [1, 2, 3].map((epoch): EpochMetrics => ({
  epoch,
  trainLoss: 2 / epoch,
  trainAccuracy: 0.25 * epoch,
  validationLoss: 2.1 / epoch,
  validationAccuracy: 0.2 * epoch,
  seconds: 8.5,
}));
const line2 =
  '{"epoch":2,"trainLoss":1,"trainAccuracy":0.5,"validationLoss":1.05,"validationAccuracy":0.4,"seconds":8.5}';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'earshot-log-'));
  file = path.join(folder, 'metrics.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const parsed = async (): Promise<unknown[]> =>
  (await readFile(file, 'utf8')).split(/(?<=\n)/).map((line): unknown => JSON.parse(line));

describe('the metrics log', () => {
  it('has a line an epoch, there as soon as append resolves', async () => {
    const log = await openMetricsLog(file, []);
    await log.append(epochs[0]!);
    expect(await parsed()).toEqual([epochs[0]]);
    await log.append(epochs[1]!);
    expect((await readFile(file, 'utf8')).split('\n')[1]).toBe(line2);
    await log.close();
  });

  it.each([
    ['epochs past the saved state', (text: string) => text],
    ['a torn last line', (text: string) => text.slice(0, -20)],
    ['no file at all', () => undefined],
  ])('goes on after epoch 1 as if never interrupted, where the crash left %s', async (_, crash) => {
    const log = await openMetricsLog(file, []);
    for (const metrics of epochs) await log.append(metrics);
    await log.close();
    const left = crash(await readFile(file, 'utf8'));
    if (left === undefined) await rm(file);
    else await writeFile(file, left);

    const resumed = await openMetricsLog(file, epochs.slice(0, 1));
    expect(await parsed()).toEqual(epochs.slice(0, 1));
    await resumed.append(epochs[1]!);
    await resumed.close();
    expect(await parsed()).toEqual(epochs.slice(0, 2));
    expect(await readdir(folder)).toEqual(['metrics.jsonl']);
  });

  it('starts anew for a fresh run', async () => {
    await writeFile(file, `${line2}\n`);
    await (await openMetricsLog(file, [])).close();
    expect(await readFile(file, 'utf8')).toBe('');
  });
});
