import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checks, type CheckRow } from '../../bench/gpu/check-row';
import { fileNeeds, libtensorflow } from '../support/needs';
import { projectFolder } from '../support/kubernetes';

fileNeeds(libtensorflow);

interface Record {
  readonly rehearsed: boolean;
  readonly machine: { readonly card: string[] | null; readonly engine: string };
  readonly rows: readonly CheckRow[];
}

let folder: string;
let child: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-check-gpu-'));
});

afterAll(async () => {
  // With the engine's process and the services, where it did not come to its end.
  if (child?.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

it('the check of a card makes all of its checks where it is rehearsed without one', async () => {
  const json = join(folder, 'check.json');
  const script = join(projectFolder, 'dist/bench/gpu/main.js');
  const options = ['--rehearse', '--brief', '--seconds', '0.3', '--json', json];
  const version = (await readdir(join(projectFolder, 'models'))).find((name) => name.startsWith('cnn-'))!;
  const started = spawn(process.execPath, [script, ...options], {
    // What hears with the pretrained encoder is left out: not every machine can have its file.
    env: { ...process.env, ENCODER: 'off', MODEL_VERSION: version },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child = started;
  let output = '';
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(started, 'close')) as [number | null];
  expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('All is as it must be') });
  const { rehearsed, machine, rows } = JSON.parse(await readFile(json, 'utf8')) as Record;
  expect({ rehearsed, ...machine }).toMatchObject({
    rehearsed: true,
    card: null,
    engine: expect.stringMatching(/^cpu \(libtensorflow .* front end\)$/),
  });
  // `load` has a row only where the engine's process ended before its time.
  expect(new Set(rows.map(({ check }) => check))).toEqual(
    new Set(checks.filter((check) => check !== 'load')),
  );
  for (const row of rows) {
    expect(output).toContain(`| ${row.check} | ${row.subject} |`);
    for (const value of Object.values(row.figures)) expect(value).not.toBeNaN();
  }
  const rated = rows.filter(({ check }) => ['parity', 'training', 'memory', 'device'].includes(check));
  expect(rated.map(({ verdict }) => verdict?.passed)).toEqual(rated.map(() => true));
  // Both engines answered uploads, and streams.
  for (const check of ['classify', 'streams'])
    expect(rows.filter((row) => row.check === check)).toHaveLength(2);
}, 600_000);
