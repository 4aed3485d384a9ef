import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { describeWith } from '../support/needs';
import { swell } from '../support/signals';
import { runOnSmallDisk, smallDisk } from '../support/small-disk';
import { samplePath } from '../support/sound-files';
import { wavFile } from '../support/wav-file';

/** What became of one recording in a process of its own. */
interface Outcome {
  readonly code: string;
  readonly cause: string | undefined;
}

const pool = JSON.stringify(require.resolve('../../shared/decode/pool/decoder-pool'));
const container = JSON.stringify(require.resolve('../../shared/decode/stream/container-thread'));
const opus = samplePath('dog.ogg');
let folder: string;
let m4a: string;

/** Prints what becomes of `steps`, which call `decode` and `stream` with a file. */
function script(steps: string): string {
  return `
    const { openSync, closeSync, readFileSync } = require('node:fs');
    const pool = require(${pool}).createDecoderPool({ threads: 1 });
    const streams = require(${container}).createContainerThread();
    const told = [];
    const tell = (work) => work.then(
      () => told.push({ code: 'a clip' }),
      ({ code, cause }) => told.push({ code, cause: cause && cause.message }),
    );
    const known = {};
    const read = (file) => (known[file] ??= readFileSync(file));
    const decode = (file) => tell(pool.decode(read(file), { sampleRate: 16000, maxSeconds: 60 }));
    const stream = (file) => tell((async () => {
      for await (const piece of streams.open().push(read(file))) void piece;
    })());
    (async () => {
      ${steps}
      console.log(JSON.stringify(told));
      await pool.close();
      await streams.close();
    })();`;
}

/** Runs a script of Node below limits of the shell's \`ulimit\`. */
async function runWith(limit: string, env: NodeJS.ProcessEnv, steps: string): Promise<Outcome[]> {
  const shell = `ulimit ${limit} && exec "$0" --expose-gc -e "$1"`;
  const child = spawn('sh', ['-c', shell, process.execPath, script(steps)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await once(child, 'close');
  return JSON.parse(output) as Outcome[];
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'earshot-faults-'));
  m4a = join(folder, 'tone.m4a');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const open = '-n 256';
const noMemory = /could not allocate memory|Out of memory/;

describeWithFfmpeg('a recording that goes through a temporary file', () => {
  beforeAll(() => {
    writeFileSync(m4a, encode(wavFile([swell(1, 22_050)], { sampleRate: 22_050, type: 's16' }), 'tone.m4a'));
  });

  it.each([
    ['is missing', '/nonexistent', 'ENOENT'],
    ['is no folder', '/dev/null', 'ENOTDIR'],
  ])('is not called damaged where the folder for it %s', async (_, TMPDIR, cause) => {
    const [outcome] = await runWith(open, { TMPDIR }, `await decode(${JSON.stringify(m4a)});`);
    expect(outcome).toEqual({ code: 'internal', cause: expect.stringContaining(cause) });
  });

  it('is not called damaged where no file can be opened, and leaves nothing behind', async () => {
    const file = JSON.stringify(m4a);
    for (const left of [0, 1, 3, 8, 12]) {
      const steps = `
        await decode(${file});
        const held = [];
        try { for (;;) held.push(openSync('/dev/null')); } catch {}
        for (let free = 0; free < ${left}; free++) closeSync(held.pop());
        await decode(${file});
        held.forEach(closeSync);
        await decode(${file});
        told.push({ code: require('node:fs').readdirSync(process.env.TMPDIR).join() });`;
      const TMPDIR = mkdtempSync(join(folder, 'tmp-'));
      const [before, during, after, leftovers] = await runWith('-n 64', { TMPDIR }, steps);
      expect([before, after]).toEqual([{ code: 'a clip' }, { code: 'a clip' }]);
      expect(during).toEqual({ code: 'internal', cause: expect.stringContaining('EMFILE') });
      expect(leftovers).toEqual({ code: '' });
    }
  });

  it('is not called damaged where ffmpeg cannot load its libraries, or the system ends it', async () => {
    for (const [body, cause] of [
      ['exit 127', '127'],
      ['kill -KILL $$', 'SIGKILL'],
    ] as const) {
      const bin = mkdtempSync(join(folder, 'bin-'));
      const wrapper = `#!/bin/sh\ncase "$*" in *-encoders*|*-formats*) exec ffmpeg "$@";; esac\n${body}\n`;
      writeFileSync(join(bin, 'program'), wrapper, { mode: 0o755 });
      const FFMPEG_PATH = join(bin, 'program');
      const [outcome] = await runWith(open, { FFMPEG_PATH }, `await decode(${JSON.stringify(m4a)});`);
      expect(outcome).toEqual({ code: 'internal', cause: expect.stringContaining(cause) });
    }
  });

  describeWith(smallDisk)('on a full disk', () => {
    it('is not called damaged', async () => {
      const disk = mkdtempSync(join(folder, 'disk-'));
      const steps = `
        process.env.TMPDIR = ${JSON.stringify(disk)};
        try { for (;;) require('node:fs').appendFileSync('${disk}/ballast', Buffer.alloc(4096)); } catch {}
        await decode(${JSON.stringify(m4a)});`;
      const [outcome] = JSON.parse(await runOnSmallDisk(disk, 64, script(steps))) as Outcome[];
      expect(outcome).toEqual({ code: 'storage-full', cause: expect.stringContaining('ENOSPC') });
    });
  });
});

describe('a recording that is decoded by WebAssembly', () => {
  it('is not called damaged where there is no memory for it, and is taken when there is', async () => {
    const file = JSON.stringify(opus);
    const steps = `
      await decode('/dev/null');
      const held = [];
      try { for (;;) held.push(new WebAssembly.Memory({ initial: 1, maximum: 65536 })); } catch {}
      await decode(${file});
      held.length = 0;
      gc();
      await decode(${file});`;
    const [, during, after] = await runWith('-v 50000000', {}, steps);
    expect(during).toEqual({ code: 'internal', cause: expect.stringMatching(noMemory) });
    expect(after).toEqual({ code: 'a clip' });
  });
});

describeWithFfmpeg('a stream that is decoded by WebAssembly', () => {
  it('is not called damaged where there is no memory for it, and is taken when there is', async () => {
    const file = join(folder, 'tone.opus');
    writeFileSync(
      file,
      encode(wavFile([swell(1, 48_000)], { sampleRate: 48_000, type: 's16' }), 'tone.opus'),
    );
    const steps = `
      await stream('/dev/null');
      const held = [];
      try { for (;;) held.push(new WebAssembly.Memory({ initial: 1, maximum: 65536 })); } catch {}
      await stream(${JSON.stringify(file)});
      held.length = 0;
      gc();
      await stream(${JSON.stringify(file)});`;
    const [, during, after] = await runWith('-v 50000000', {}, steps);
    expect(during).toEqual({ code: 'internal', cause: expect.stringMatching(noMemory) });
    expect(after).toEqual({ code: 'a clip' });
  });
});
