import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '../support/needs';
import { runOnSmallDisk, smallDisk } from '../support/small-disk';

const logger = JSON.stringify(require.resolve('../../shared/observability/logger'));

interface Line {
  readonly line?: number;
  readonly lines?: number;
}

/** Logs 30,000 lines of about 100 bytes, a hundred a turn of the event loop, and ends with 3. */
const script = `
  const logger = require(${logger}).createLogger('info');
  let line = 0;
  const more = () => {
    for (let end = line + 100; line < end;) logger.info({ line: line++ }, 'what a line of a log is like');
    if (line < 30000) setImmediate(more);
    else { process.stderr.write('all are logged'); setTimeout(() => process.exit(3), 20); }
  };
  more();`;

function start(stdout: 'pipe' | number): ChildProcess {
  return spawn(process.execPath, ['-e', script], { stdio: ['ignore', stdout, 'pipe'] });
}

async function exitCode(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}

/** The numbers of the lines that are there, and how many were lost by what the log itself says. */
function read(text: string): { readonly there: number[]; readonly lost: number } {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  return {
    there: lines.flatMap(({ line }) => line ?? []),
    lost: lines.reduce((sum, { lines: lost = 0 }) => sum + lost, 0),
  };
}

describe('the log', () => {
  it('has every line where they are taken, and the process ends with its own code', async () => {
    const child = start('pipe');
    let text = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [code] = (await once(child, 'close')) as [number];
    const { there, lost } = read(text);
    expect([code, there.length, lost]).toEqual([3, 30_000, 0]);
    expect(there).toEqual([...there.keys()]);
  });

  it('goes nowhere where its reader has left or its device is full, and holds nothing up', async () => {
    const left = start('pipe');
    left.stdout!.destroy();
    const full = openSync('/dev/full', 'w');
    expect(await Promise.all([exitCode(left), exitCode(start(full))])).toEqual([3, 3]);
    closeSync(full);
  });

  it('holds nothing up where nobody reads, and ends', async () => {
    const child = start('pipe');
    await once(child.stderr!, 'data');
    expect(await exitCode(child)).toBe(3);
  });

  it('says how many lines are missing to a reader who stopped and goes on, and has whole lines', async () => {
    const endless = script.replace('setTimeout(() => process.exit(3), 20)', 'setTimeout(() => 0, 1e6)');
    const child = spawn(process.execPath, ['-e', endless], { stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child.stderr, 'data');
    let text = '';
    const told = new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('were lost') && text.endsWith('\n')) resolve();
      });
    });
    await told;
    child.kill();
    const { there, lost } = read(text);
    expect(lost).toBeGreaterThan(0);
    expect(there.length + lost).toBe(30_000);
  });
});

describeWith(smallDisk)('the log on a disk that becomes full', () => {
  it('is written again when there is room, in whole lines, and says how many are missing', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'earshot-log-'));
    const file = join(disk, 'log');
    const printed = await runOnSmallDisk(
      disk,
      256,
      `
      const { openSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
      const { spawn } = require('node:child_process');
      writeFileSync(${JSON.stringify(disk)} + '/ballast', Buffer.alloc(131072));
      const script = ${JSON.stringify(script)}.replace('process.exit(3), 20', 'logger.info({ line: line++ }, "the last"), 500');
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', openSync(${JSON.stringify(file)}, 'a'), 'pipe'] });
      child.stderr.once('data', () => rmSync(${JSON.stringify(disk)} + '/ballast'));
      child.once('exit', (code) => console.log(JSON.stringify({ code, text: readFileSync(${JSON.stringify(file)}, 'utf8') })));`,
    );
    rmSync(disk, { recursive: true });
    const { code, text } = JSON.parse(printed) as { readonly code: number; readonly text: string };
    const { there, lost } = read(text);
    expect(code).toBe(0);
    expect(lost).toBeGreaterThan(0);
    expect(there.at(-1)).toBe(30_000);
    expect(there.length + lost).toBe(30_001);
  });
});
