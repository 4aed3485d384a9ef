import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { manifestSchema } from '../../shared/contracts/manifest';
import { reportSchema, servedEvaluation } from '../../shared/contracts/report';
import { architectureOf } from '../../shared/contracts/members';
import { writeToneDataset } from '../support/tone-dataset';

const main = join(__dirname, '..', '..', 'services', 'trainer', 'main.js');
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-reproduce-'));
  await writeToneDataset(join(folder, 'data'));
  // Three folds: fewer runs, and a cross-validation still.
  const csv = join(folder, 'data', 'tones.csv');
  const lines = (await readFile(csv, 'utf8')).split('\n');
  await writeFile(csv, lines.filter((line) => !/,[45],/.test(line)).join('\n'));
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Resolves with its lines and how it ended; `killAfter` kills it when that many runs are finished. */
async function reproduce(killAfter = Infinity): Promise<{ lines: string[]; end: number | string }> {
  return run(['reproduce', '--epochs=1', `--data=${join(folder, 'data')}`], killAfter);
}

async function run(
  args: readonly string[],
  killAfter = Infinity,
): Promise<{ lines: string[]; end: number | string }> {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      ...process.env,
      ENGINE: 'cpu',
      RUNS_DIR: join(folder, 'runs'),
      MODELS_DIR: join(folder, 'models'),
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (lines.length === killAfter) child.kill('SIGKILL');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { lines, end: code ?? signal! };
}

async function written(name: string): Promise<string> {
  return readFile(join(folder, 'models', name), 'utf8');
}

describe('npm run reproduce', () => {
  it('runs what is missing after kill -9, a line a run, and keeps what was finished', async () => {
    const killed = await reproduce(3);
    expect(killed.end).toBe('SIGKILL');
    expect(killed.lines).toHaveLength(3);

    const { lines, end } = await reproduce();
    expect(end).toBe(0);
    const runs = lines.filter((line) => /^ ?\d+\/14 /.test(line));
    expect(runs).toHaveLength(14);
    expect(runs.filter((line) => line.endsWith('(finished before)')).length).toBeGreaterThanOrEqual(2);
    expect(runs[9]).toMatch(/^10\/14 transformer heads 4 hidden 1024: test .* after epoch 1/);
    expect(runs[13]).toMatch(/^14\/14 transformer heads 4 validation fold 3: /);

    const again = await reproduce();
    expect(again.lines).toHaveLength(14);
    expect(again.lines.every((line) => line.endsWith('(finished before)'))).toBe(true);
  }, 600_000);

  it('keeps the metrics of every run', async () => {
    const { runs } = JSON.parse(await written('REPORT.json')) as {
      runs: Record<string, { report: unknown }>;
    };
    const reports = Object.values(runs).map(({ report }) => reportSchema.parse(report));
    expect(reports).toHaveLength(14);
    const folds = reports.map(({ configuration }) => configuration.protocol.validationFold);
    expect(folds.filter((fold) => fold === 2)).toHaveLength(10);
    expect(folds.filter((fold) => fold === 3)).toHaveLength(4);
    expect(reports.every(({ configuration }) => configuration.protocol.testFold === 1)).toBe(true);
  });

  it("writes the report's table beside ours", async () => {
    const { runs } = JSON.parse(await written('REPORT.json')) as {
      runs: Record<string, { report: unknown }>;
    };
    const [name] = Object.keys(runs).filter((key) => key.startsWith('transformer-h2-f512'));
    const { last } = reportSchema.parse(runs[name!]!.report).evaluations;
    const row = (await written('REPORT.md'))
      .split('\n')
      .find((line) => line.startsWith('| transformer heads 2 hidden 512 '));
    const cells = row!.split('|').map((cell) => cell.trim());
    expect(cells.slice(2, 5)).toEqual(['51.2 %', '32.4 %', '0.46']);
    expect(cells[5]).toMatch(`${(last.test!.accuracy * 100).toFixed(1)} % (`);
    expect(cells[7]).toBe(last.test!.macro.f1.toFixed(3));
    expect(await written('REPORT.md')).not.toContain('not run yet');
  });

  it('writes one page of its own, with charts', async () => {
    const page = await written('REPORT.html');
    for (const title of ['Test accuracy', 'Validation accuracy', 'Macro F1 on the test fold']) {
      expect(page).toContain(`aria-label="${title}: the report’s and ours`);
    }
    expect(page).not.toMatch(/<script|<link|src=|https?:\/\/(?!www\.w3\.org)/);
    // Ten runs and four cross-validations.
    expect(page.match(/<summary><h3>[^<]*(: test accuracy|, fold by fold)/g)).toHaveLength(14);
  });

  it('has the figures of what it publishes, which npm run evaluate finds again', async () => {
    const entries = await readdir(join(folder, 'models'), { withFileTypes: true });
    const version = entries.map(({ name }) => name).find((name) => name.startsWith('cnn-'))!;
    const report = reportSchema.parse(JSON.parse(await written(join(version, 'report.json'))));
    const { served } = report;
    const { validation, test } = servedEvaluation(report);
    expect(served!.validation).toMatchObject({ clips: validation.clips, correct: validation.correct });
    expect(served!.test).toMatchObject({ clips: test!.clips, correct: test!.correct });
    // Without a threshold every clip is answered.
    expect(served!.test!.answered).toBe(served!.test!.correct);

    const without = { ...report, served: undefined };
    await writeFile(join(folder, 'models', version, 'report.json'), JSON.stringify(without));
    const { lines, end } = await run(['evaluate', version, `--data=${join(folder, 'data')}`]);
    expect(end).toBe(0);
    expect(lines).toContain(`test, ${test!.clips} clips of ${served!.test!.recordings} recordings:`);
    const again = reportSchema.parse(JSON.parse(await written(join(version, 'report.json'))));
    expect(again).toEqual(report);
  }, 60_000);

  it('makes versions of the best cnn and the best transformer alone', async () => {
    const entries = await readdir(join(folder, 'models'), { withFileTypes: true });
    const versions = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const manifests = await Promise.all(
      versions.map(async (name) =>
        manifestSchema.parse(JSON.parse(await written(join(name, 'manifest.json')))),
      ),
    );
    expect(manifests.map(architectureOf).sort()).toEqual(['cnn', 'transformer']);
    const { runs } = JSON.parse(await written('REPORT.json')) as {
      runs: Record<string, { report: unknown }>;
    };
    for (const manifest of manifests) {
      const rivals = Object.values(runs)
        .map(({ report }) => reportSchema.parse(report))
        .filter(({ configuration }) => architectureOf(configuration) === architectureOf(manifest))
        .map(({ evaluations }) => evaluations.best!.validation.accuracy);
      expect(manifest.metrics.validationAccuracy).toBe(Math.max(...rivals));
    }
  });
});
