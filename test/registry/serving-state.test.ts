import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRegistry } from '../../shared/registry/registry';
import {
  newestGeneration,
  readServingState,
  writeServingState,
  type ServingChange,
} from '../../shared/registry/serving-state';
import { describeWith } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { runOnSmallDisk, smallDisk } from '../support/small-disk';

const moduleFile = JSON.stringify(join(__dirname, '../../shared/registry/serving-state.js'));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-serving-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function change(current: string, previous: string[] = []): ServingChange {
  return { change: 'promote', by: 'a test', current, previous, pinned: null, shadow: null };
}

async function current(): Promise<string | undefined> {
  return (await readServingState(folder)).state?.current;
}

/** A process that makes `script`, with `write(generation, name)` at hand. */
function writer(script: string, extra: readonly string[] = []): ReturnType<typeof spawn> {
  const prelude = `const { readServingState, writeServingState } = require(${moduleFile});
    const folder = process.argv[1];
    const write = (generation, current) => writeServingState(folder, generation,
      { change: 'promote', by: 'w', current, previous: [], pinned: null, shadow: null });`;
  return spawn(process.execPath, ['-e', prelude + script, folder, ...extra], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('which version serves', () => {
  it('is nobody’s decision until one is written', async () => {
    expect(await readServingState(folder)).toEqual({ generation: 0, state: undefined, problems: [] });
    expect(await newestGeneration(join(folder, 'none'))).toBe(0);
  });

  it('changes by one generation at a time, and for one of two that saw the same', async () => {
    await writeServingState(folder, 0, change('a'));
    const second = await writeServingState(folder, 1, change('b', ['a']));
    expect(second).toMatchObject({ generation: 2, current: 'b', previous: ['a'] });
    await expect(writeServingState(folder, 1, change('c'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await current()).toBe('b');
  });

  it('cannot be changed by who saw a generation that was dropped long ago', async () => {
    for (let generation = 0; generation < 20; generation++) {
      await writeServingState(folder, generation, change(`v${generation}`));
    }
    expect(await readdir(folder)).toHaveLength(8);
    await expect(writeServingState(folder, 3, change('late'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await current()).toBe('v19');
    expect(await readdir(folder)).toHaveLength(8);
  });

  it('goes to exactly one of several processes at every generation', async () => {
    const rounds = 40;
    const script = `(async () => {
      let won = 0;
      for (;;) {
        const { generation } = await readServingState(folder);
        if (generation >= ${rounds}) break;
        await write(generation, process.argv[2]).then(() => won++, (error) => { if (error.code !== 'conflict') throw error; });
      }
      console.log(won);
    })();`;
    const won = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const child = writer(script, [name]);
        const [data] = (await once(child.stdout!, 'data')) as [Buffer];
        return Number(data.toString());
      }),
    );
    expect(won.reduce((sum, times) => sum + times, 0)).toBe(rounds);
    expect(await newestGeneration(folder)).toBe(rounds);
  });

  it('is whole, and can be changed, when a writer is killed at any moment', async () => {
    const script = `(async () => { for (;;) { const { generation } = await readServingState(folder); await write(generation, 'x' + generation); console.log(generation); } })();`;
    for (let round = 0; round < 5; round++) {
      const child = writer(script);
      await once(child.stdout!, 'data');
      for (let turn = 0; turn < round * 200; turn++) await new Promise(setImmediate);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const { generation, problems } = await readServingState(folder);
      expect(problems).toEqual([]);
      await writeServingState(folder, generation, change(`after-${round}`));
      expect(await current()).toBe(`after-${round}`);
    }
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.each([
    ['cut', (file: string) => truncate(file, 40), 'serving.2.json is not JSON'],
    ['emptied', (file: string) => truncate(file, 0), 'serving.2.json is not JSON'],
    [
      'of another form',
      (file: string) => writeFile(file, '{"generation":2}'),
      'serving.2.json: formatVersion',
    ],
  ])('is what it was before when the file is %s, and says so', async (_, damage, problem) => {
    await writeServingState(folder, 0, change('a'));
    await writeServingState(folder, 1, change('b'));
    await damage(join(folder, 'serving.2.json'));
    const reading = await readServingState(folder);
    expect(reading).toMatchObject({ generation: 2, state: { current: 'a' } });
    expect(reading.problems).toEqual([expect.stringContaining(problem)]);
    await writeServingState(folder, 2, change('c'));
    expect(await readServingState(folder)).toMatchObject({
      generation: 3,
      state: { current: 'c' },
      problems: [],
    });
  });

  it('does not hang on clocks: the later generation counts, however old its file is', async () => {
    await writeServingState(folder, 0, change('a'));
    await writeServingState(folder, 1, change('b'));
    await utimes(join(folder, 'serving.2.json'), 0, 0);
    expect(await current()).toBe('b');
  });

  it('decides what a start serves; what served before it comes next, and then the best', async () => {
    for (const [name, validationAccuracy] of [
      ['a', 0.1],
      ['b', 0.2],
      ['c', 0.9],
    ] as const) {
      const metrics = { validationAccuracy, validationLoss: 1 };
      await publishRandomModel(folder, name, { changes: { metrics } });
    }
    const order = async (): Promise<string[]> =>
      (await openRegistry(folder).candidates()).map(({ manifest }) => manifest.version);
    expect(await order()).toEqual(['c', 'b', 'a']);
    await writeServingState(folder, 0, change('a', ['b']));
    expect(await order()).toEqual(['a', 'b', 'c']);
    await writeServingState(folder, 1, { ...change('a', ['b']), pinned: 'b' });
    expect(await order()).toEqual(['b', 'a', 'c']);
    await truncate(join(folder, 'b', 'weights.bin'), 10);
    expect(await order()).toEqual(['a', 'c']);
  });
});

describeWith(smallDisk)('a full disk', () => {
  it('changes nothing of what serves, and says so', async () => {
    const script = `
      const { readServingState, writeServingState } = require(${moduleFile});
      const { writeFileSync, readdirSync, rmSync } = require('node:fs');
      const folder = ${JSON.stringify(folder)};
      const write = (generation, current) => writeServingState(folder, generation,
        { change: 'promote', by: 'w', current, previous: [], pinned: null, shadow: null });
      (async () => {
        await write(0, 'a');
        try { for (let i = 0; ; i++) writeFileSync(folder + '/ballast' + i, Buffer.alloc(4096)); } catch {}
        const failure = await write(1, 'b').catch((error) => error);
        const during = await readServingState(folder);
        const left = readdirSync(folder).filter((name) => !name.startsWith('ballast'));
        rmSync(folder + '/ballast0');
        rmSync(folder + '/ballast1');
        await write(1, 'b');
        const after = await readServingState(folder);
        console.log(JSON.stringify([failure.code, during.generation, during.state.current, left, after.state.current]));
      })();`;
    const printed = JSON.parse(await runOnSmallDisk(folder, 64, script)) as unknown;
    expect(printed).toEqual(['storage-full', 1, 'a', ['serving.1.json'], 'b']);
  });
});
