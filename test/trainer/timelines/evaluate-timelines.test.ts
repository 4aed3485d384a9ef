import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Manifest } from '../../../shared/contracts/manifest';
import { reportSchema, type EventQuality } from '../../../shared/contracts/report';
import { samplePath, joinToWav } from '../../support/sound-files';
import { provideTestKernels } from '../../support/test-engine';

const run = promisify(execFile);
/** One of the two of the report: it needs no encoder. */
const version = 'cnn-20261130-f702b014';
let folder: string;

beforeAll(async () => {
  await provideTestKernels();
  folder = await mkdtemp(join(tmpdir(), 'earshot-timelines-'));
  await cp(join('models', version), join(folder, 'models', version), { recursive: true });
  // Each sample is 5 s.
  joinToWav(['dog.ogg', 'rooster.ogg', 'dog.ogg'].map(samplePath), join(folder, 'yard.wav'));
  await writeFile(
    join(folder, 'yard.csv'),
    'Onset,Offset,Event Label\n0,5,dog\n5,10,rooster\n10,15,dog\n2,3,door\n',
  );
});
afterAll(() => rm(folder, { recursive: true }));

async function evaluate(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    ['dist/services/trainer/main.js', 'evaluate', version, join(folder, 'yard.csv'), ...args],
    { env: { ...process.env, MODELS_DIR: join(folder, 'models') } },
  );
  return stdout;
}

const readJson = async <T>(file: string): Promise<T> =>
  JSON.parse(await readFile(join(folder, 'models', version, file), 'utf8')) as T;

const hitsOf = ({ perClass }: EventQuality, name: string): number =>
  perClass.find((of) => of.class === name)!.hits;

it('judges recordings beside a CSV: hits, delays, curves; keeps them in the report, and chooses thresholds', async () => {
  const quality = JSON.parse(await evaluate('--json')) as EventQuality;
  expect(reportSchema.shape.events.parse(quality)).toEqual(quality);
  // The two dogs are nearer to each other than any window can tell apart: one event.
  expect(quality).toMatchObject({ timelines: 1, events: 2, windowSeconds: 5, hopSeconds: 0.5 });
  expect(quality.hours * 3600).toBeCloseTo(15, 1);
  expect(hitsOf(quality, 'dog')).toBeGreaterThan(0);
  expect(quality.medianDelaySeconds).toBeGreaterThan(0);
  const report = await readJson<{ readonly events: EventQuality }>('report.json');
  expect(report.events).toEqual(quality);
  expect(quality.perClass.map(({ curve }) => curve.length)).toEqual(quality.perClass.map(() => 49));
  const unlabelled = quality.perClass.filter(({ events }) => events === 0);
  expect(unlabelled.flatMap(({ curve }) => curve).every(({ hits }) => hits === 0)).toBe(true);

  const table = await evaluate('--false-alarms-per-hour', '1');
  expect(table).toContain('No classes of the version, so background: door.');
  const { classes, events } = await readJson<Manifest>('manifest.json');
  expect(events).toMatchObject({ falseAlarmsPerHour: 1 });
  expect(events!.thresholds).toHaveLength(classes.length);
  const again = JSON.parse(await evaluate('--json')) as EventQuality;
  expect(again.fingerprint).toBe(quality.fingerprint);
  expect(again.perClass.map(({ threshold }) => threshold)).toEqual(events!.thresholds);
  expect(again.falseAlarms).toBe(0);
}, 120_000);

it('finds the same at another hop, and stores nothing of it', async () => {
  const before = await readJson<object>('report.json');
  const byHop = await Promise.all(
    ['0.5', '0.25'].map(
      async (hop) => JSON.parse(await evaluate('--json', '--hop-seconds', hop)) as EventQuality,
    ),
  );
  const [half, quarter] = byHop as [EventQuality, EventQuality];
  expect(quarter.hits).toBe(half.hits);
  expect(Math.abs(quarter.medianOnsetErrorSeconds! - half.medianOnsetErrorSeconds!)).toBeLessThan(0.3);
  expect(await readJson<object>('report.json')).toEqual(before);
}, 120_000);

it.each<[string, string, RegExp]>([
  [
    'an offset before the onset',
    'onset,offset,label\n3,2,dog\n',
    /line 2: expected an onset and a later offset/,
  ],
  ['no column', 'start,label\n3,dog\n', /needs onset, offset and label/],
  ['a sound behind the end', 'onset,offset,label\n30,31,dog\n', /behind the end of yard\.wav \(15\.0 s\)/],
  [
    'a recording that is not there',
    'filename,onset,offset,label\nno.wav,1,2,dog\n',
    /no\.wav cannot be read \(ENOENT\)/,
  ],
])(
  'refuses %s',
  async (_, csv, message) => {
    const file = join(folder, 'yard.csv');
    const good = await readFile(file);
    await writeFile(file, csv);
    await expect(evaluate()).rejects.toMatchObject({
      code: 65,
      stderr: expect.stringMatching(message) as string,
    });
    await writeFile(file, good);
  },
  60_000,
);
