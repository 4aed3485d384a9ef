import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { DatasetReadings } from '../../services/classifier/datasets/dataset-readings';
import type { DatasetReading } from '../../services/classifier/datasets/describe-dataset';

let folder: string;
let reads: number;
let readings: DatasetReadings;
const reading: DatasetReading = {
  clips: 1,
  classCount: 1,
  foldCount: 1,
  foldsMade: false,
  classes: [],
  warnings: [],
  state: '',
  problems: { shown: [], count: 0 },
  places: ['list.csv', '', 'audio'],
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-readings-'));
  await mkdir(join(folder, 'audio'));
  await writeFile(join(folder, 'list.csv'), 'a');
  reads = 0;
  readings = new DatasetReadings(() => {
    reads++;
    return Promise.resolve(reading);
  });
});
afterEach(() => rm(folder, { recursive: true }));

it('reads once for all who ask at once, and again what changed a moment ago', async () => {
  await Promise.all([1, 2, 3].map(() => readings.get(folder)));
  expect(reads).toBe(1);
  await readings.get(folder);
  expect(reads).toBe(2);
});

it('reads what has not changed for a while no more, until a place of it changes', async () => {
  await setTimeout(2100);
  await readings.get(folder);
  await readings.get(folder);
  expect(reads).toBe(1);
  await writeFile(join(folder, 'audio', 'new.wav'), 'x');
  await readings.get(folder);
  expect(reads).toBe(2);
  await utimes(join(folder, 'list.csv'), 1, 1);
  await readings.get(folder);
  expect(reads).toBe(3);
});

it('asks again after a failure', async () => {
  readings = new DatasetReadings(() => {
    reads++;
    return reads === 1 ? Promise.reject(new Error('EMFILE')) : Promise.resolve(reading);
  });
  await expect(readings.get(folder)).rejects.toThrow('EMFILE');
  expect(await readings.get(folder)).toBe(reading);
});
