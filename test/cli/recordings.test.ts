import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { classifyCommand } from '../../services/cli/commands/classify-command';
import { parseCommand, type Command } from '../../services/cli/arguments/command-line';
import { exitCodeOf } from '../../services/cli/output/exit-codes';
import { AppError } from '../../shared/errors/app-error';
import { createClient } from '../../shared/client/client';
import { classificationSchema, type RecordingEvent } from '../../shared/contracts/classification';
import { CliProcess, runCli, type CliResult } from '../support/cli-process';
import { ServiceProcess } from '../support/service-process';
import { samplePath } from '../support/sound-files';
import { provideTestKernels } from '../support/test-engine';

type ClassifyCommandLine = Extract<Command, { readonly verb: 'classify' }>;

let service: ServiceProcess;
let url: string;
let folder: string;
/** Three recordings, one of them two folders down; a text, and a hidden file. */
let sounds: string;
const names = ['clock/tower/tick.ogg', 'dog.OGG', 'sneezing.ogg'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-recordings-'));
  await provideTestKernels();
  service = new ServiceProcess({ ENGINE: 'auto' });
  url = await service.url();
  await service.line('loaded and warmed up');
});
beforeEach(async () => {
  sounds = await mkdtemp(join(folder, 'sounds-'));
  await mkdir(join(sounds, 'clock', 'tower'), { recursive: true });
  await copyFile(samplePath('clock_tick.ogg'), join(sounds, 'clock', 'tower', 'tick.ogg'));
  await copyFile(samplePath('dog.ogg'), join(sounds, 'dog.OGG'));
  await copyFile(samplePath('sneezing.ogg'), join(sounds, 'sneezing.ogg'));
  await writeFile(join(sounds, 'notes.txt'), 'no sound');
  await writeFile(join(sounds, '.hidden.wav'), 'no sound');
});
afterAll(async () => {
  await service.kill();
  await rm(folder, { recursive: true });
});

/** Runs the command in this process, which takes no time to start. */
async function classify(...args: string[]): Promise<CliResult> {
  let output = '';
  let errors = '';
  const io = {
    input: Readable.from([]),
    output: { write: (text: string) => (output += text) },
    errors: { write: (text: string) => (errors += text) },
    signal: new AbortController().signal,
  };
  const run = async (): Promise<number> => {
    const { files, options } = parseCommand(['classify', ...args]) as ClassifyCommandLine;
    return classifyCommand(createClient({ baseUrl: options.server ?? url }), files, options, io);
  };
  const code = await run().catch((caught: unknown) => {
    const error = AppError.from(caught);
    errors += error.message;
    return exitCodeOf(error);
  });
  return { code, lines: output.split('\n').filter((line) => line !== ''), errors };
}

/** Recordings that the service was sent so far. */
async function asked(): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^earshot_upload_size_bytes_count (\d+)$/m.exec(text)![1]);
}

async function askedBy(run: () => Promise<unknown>): Promise<number> {
  const before = await asked();
  await run();
  return (await asked()) - before;
}

/** What the service itself says of a file. */
async function eventsOf(file: string): Promise<RecordingEvent[]> {
  const body = new Uint8Array(await readFile(file));
  const response = await fetch(`${url}/classify?events=true`, { method: 'POST', body });
  return classificationSchema.parse(await response.json()).events!;
}

interface Line {
  readonly file: string;
  readonly bytes: number;
  readonly modified: string;
}
async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

describe('earshot classify of folders', () => {
  it('takes the recordings in all folders below, in the order of their names, and one that is named itself', async () => {
    const { code, lines, errors: complaints } = await classify(sounds, join(sounds, 'dog.OGG'));
    expect([code, complaints]).toEqual([0, '']);
    expect(lines.map((line) => line.split(': ')[0])).toEqual(
      [...names, 'dog.OGG'].map((name) => join(sounds, name)),
    );
    const empty = await mkdtemp(join(folder, 'empty-'));
    const { code: none, errors } = await classify(empty);
    expect([none, errors]).toEqual([66, expect.stringContaining('There are no recordings in it')]);
  });

  it('names the sounds of each with --events', async () => {
    const { lines } = await classify('--events', join(sounds, 'dog.OGG'));
    const [first] = await eventsOf(join(sounds, 'dog.OGG'));
    const peak = (100 * first!.peakConfidence).toFixed(1);
    expect(lines[1]).toMatch(/^ {2}0:\d\d\.\d to 0:\d\d\.\d {2}dog \([\d.]+ %\)$/);
    expect(lines[1]).toContain(`(${peak} %)`);
  });

  it('go on behind a recording that the service fails with', async () => {
    const failing = createServer((req, res) => {
      req.resume();
      res.writeHead(500, { 'Content-Type': 'application/problem+json' });
      res.end(JSON.stringify({ code: 'internal', detail: 'Something went wrong.' }));
    }).listen(0, '127.0.0.1');
    await once(failing, 'listening');
    const server = `http://127.0.0.1:${(failing.address() as AddressInfo).port}`;
    const { code, errors } = await classify('--server', server, sounds);
    failing.close();
    expect(code).toBe(70);
    expect(errors.split('\n').slice(0, -1)).toEqual(
      names.map((name) => `${join(sounds, name)}: Something went wrong.`),
    );
  });
});

describe('earshot classify --output', () => {
  it.each(['json', 'csv', 'raven'])(
    'goes on where it was: as %s, what is answered is not asked again unless it was changed',
    async (format) => {
      const output = join(sounds, `../out-${format}`);
      const run = (): Promise<CliResult> => classify('--format', format, '--output', output, sounds);
      expect(await askedBy(run)).toBe(3);
      expect(await askedBy(run)).toBe(0);
      await copyFile(samplePath('rain.ogg'), join(sounds, 'rain.ogg'));
      await utimes(join(sounds, 'dog.OGG'), new Date(), new Date(Date.now() - 86_400_000));
      expect(await askedBy(run)).toBe(2);
      expect((await run()).code).toBe(0);
    },
  );

  it('asks again for what had no answer, and ends with its code until it has one', async () => {
    const output = join(folder, 'failing.jsonl');
    const bad = join(sounds, 'cut.wav');
    await writeFile(bad, 'no sound at all');
    const run = (): Promise<CliResult> => classify('--format', 'json', '--output', output, sounds);
    const first = await run();
    expect([first.code, first.lines]).toEqual([65, []]);
    expect(first.errors).toContain(`${bad}: `);
    expect(await askedBy(run)).toBe(1);
    await copyFile(samplePath('rain.ogg'), bad);
    expect((await run()).code).toBe(0);
    expect((await linesOf(output)).map(({ file }) => file)).toEqual(
      [...names, 'cut.wav'].map((name) => join(sounds, name)),
    );
  });

  it('has every answer once after it was killed, at whatever byte of an answer', async () => {
    const output = join(folder, 'killed.jsonl');
    for (let copy = 0; copy < 9; copy += 1) {
      await copyFile(samplePath('dog.ogg'), join(sounds, `dog-${copy}.ogg`));
    }
    const args = ['classify', '--format', 'json', '--output', output, sounds];
    const killed = new CliProcess(args, { EARSHOT_SERVER: url });
    while ((await readFile(output, 'utf8').catch(() => '')) === '') {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    killed.child.kill('SIGKILL');
    await killed.result();
    const whole = await linesOf(output);
    expect(whole.length).toBeLessThan(12);
    await appendFile(output, JSON.stringify({ ...whole[0], file: 'elsewhere.ogg' }).slice(0, 200));
    const { code } = await runCli(args, { EARSHOT_SERVER: url });
    const lines = await linesOf(output);
    expect([code, lines.length, new Set(lines.map(({ file }) => file)).size]).toEqual([0, 12, 12]);
    expect(lines.slice(0, whole.length)).toEqual(whole);
  });

  it('keeps all rows of a recording or none', async () => {
    const output = join(folder, 'rows.csv');
    const run = (): Promise<CliResult> => classify('--format', 'csv', '--output', output, sounds);
    await run();
    const full = await readFile(output, 'utf8');
    const rows = full.split('\n').slice(1, -1);
    // As many rows as events, or one.
    const counts = new Map(names.map((name) => [join(sounds, name), 0]));
    for (const row of rows) counts.set(row.split(',')[0]!, counts.get(row.split(',')[0]!)! + 1);
    for (const [file, count] of counts) {
      const events = await eventsOf(file);
      expect(count).toBe(Math.max(1, events.length));
      for (const [index, event] of events.entries()) {
        const row = rows.filter((line) => line.startsWith(file))[index]!.split(',');
        expect(row.slice(7)).toEqual(
          [event.label, event.onsetSeconds, event.offsetSeconds, event.peakConfidence].map(String),
        );
      }
    }
    // The last row is gone, as after a kill: where it was one of several the others are of no use.
    await writeFile(output, full.slice(0, full.trimEnd().lastIndexOf('\n') + 1));
    expect(await askedBy(run)).toBe(1);
    expect(await readFile(output, 'utf8')).toBe(full);
  });

  it('leaves a file that is no list of answers as it is', async () => {
    const notes = join(sounds, 'notes.txt');
    for (const format of ['json', 'csv']) {
      const { code, errors } = await classify('--format', format, '--output', notes, sounds);
      expect([code, errors]).toEqual([73, expect.stringContaining('is no list of answers in this format')]);
    }
    expect(await readFile(notes, 'utf8')).toBe('no sound');
  });
});

describe('label files', () => {
  it('are label tracks of Audacity: a line for each event, start, end and label between tabs', async () => {
    const output = join(folder, 'audacity');
    await classify('--format', 'audacity', '--output', output, sounds);
    for (const name of names) {
      const text = await readFile(join(output, `${name}.txt`), 'utf8');
      const events = await eventsOf(join(sounds, name));
      const lines = text === '' ? [] : text.trimEnd().split('\n');
      expect(lines).toHaveLength(events.length);
      for (const [index, line] of lines.entries()) {
        expect(line).toMatch(/^\d+\.\d{6}\t\d+\.\d{6}\t[^\t]+$/);
        const [start, end, label] = line.split('\t');
        expect(label).toBe(events[index]!.label);
        expect(Number(start)).toBeCloseTo(events[index]!.onsetSeconds, 5);
        expect(Number(end)).toBeCloseTo(events[index]!.offsetSeconds, 5);
      }
    }
    // Of a single recording they may be printed.
    const dog = join(sounds, 'dog.OGG');
    const { lines } = await classify('--format', 'audacity', dog);
    expect(`${lines.join('\n')}\n`).toBe(await readFile(join(output, 'dog.OGG.txt'), 'utf8'));
  });

  it('are selection tables of Raven: its seven columns, then annotations', async () => {
    const { lines } = await classify('--format', 'raven', join(sounds, 'dog.OGG'));
    const [head, ...rows] = lines.map((line) => line.split('\t'));
    expect(head).toEqual([
      ...[
        'Selection',
        'View',
        'Channel',
        'Begin Time (s)',
        'End Time (s)',
        'Low Freq (Hz)',
        'High Freq (Hz)',
      ],
      ...['Annotation', 'Confidence'],
    ]);
    const events = await eventsOf(join(sounds, 'dog.OGG'));
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual(
      events.map(({ label, onsetSeconds, offsetSeconds, peakConfidence }, index) => [
        String(index + 1),
        'Spectrogram 1',
        '1',
        onsetSeconds.toFixed(6),
        offsetSeconds.toFixed(6),
        '0.0',
        // Half the rate of the file.
        '22050.0',
        label,
        peakConfidence.toFixed(4),
      ]),
    );
  });

  it.each([
    [['--format', 'raven'], 'give a folder for them with --output'],
    [['--output', 'x'], '--output is for --format'],
    [['--json', '--format', 'csv'], '--format csv is another'],
    [['--format', 'raven', '--output', 'x', '--top', '3'], 'would go into one file, dog.OGG.selections.txt'],
  ])('refuse %j', async (options, words) => {
    const other = await mkdtemp(join(folder, 'other-'));
    await copyFile(samplePath('dog.ogg'), join(other, 'dog.OGG'));
    const { code, errors, lines } = await classify(...options, sounds, other);
    expect([code, lines]).toEqual([64, []]);
    expect(errors).toContain(words);
  });
});

describe('the progress bar', () => {
  async function errorsOf(isTTY: boolean, output: string): Promise<string> {
    let errors = '';
    const code = await classifyCommand(
      createClient({ baseUrl: url }),
      [sounds],
      { top: 3, json: true, format: 'json', events: false, output },
      {
        input: Readable.from([]),
        output: { write: () => undefined },
        errors: { isTTY, columns: 80, write: (text: string) => (errors += text) },
        signal: new AbortController().signal,
      },
    );
    expect(code).toBe(0);
    return errors;
  }

  it('is shown on a terminal, from what is answered already to all, and nowhere else', async () => {
    expect(await errorsOf(false, join(folder, 'no-terminal.jsonl'))).toBe('');
    const output = join(folder, 'terminal.jsonl');
    expect(await errorsOf(true, output)).toContain(`[${'-'.repeat(30)}]   0 %  0 of 3`);
    await copyFile(samplePath('rain.ogg'), join(sounds, 'rain.ogg'));
    const errors = await errorsOf(true, output);
    expect(errors).toContain('75 %  3 of 4');
    expect(errors.endsWith('\n')).toBe(true);
  });
});
