import { spawnSync } from 'node:child_process';
import { mkdtemp, open as openFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { chooseEngine, type EngineChoice } from '../../shared/compute/provide/choose-engine';
import type { EngineWish, KernelsWish } from '../../shared/environment';
import type { Inference } from '../../shared/compute/inference/inference';
import { provideEngine } from '../../shared/compute/provide/provide';
import { startInference } from '../../shared/compute/inference/start-inference';
import { createUniform } from '../../shared/runtime/random';
import { openRegistry } from '../../shared/registry/registry';
import { fileNeeds, libtensorflow } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { chooseTestEngine } from '../support/test-engine';

fileNeeds(libtensorflow);

let folder: string;
const open: Inference[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-inference-'));
  await publishRandomModel(folder, 'random');
});

afterAll(async () => {
  await Promise.all(open.map((inference) => inference.close()));
  await rm(folder, { recursive: true, force: true });
});

async function start(wish: EngineWish, kernels: KernelsWish = 'auto', inFlight = 1): Promise<Inference> {
  const inference = await startInference({
    choice: await chooseTestEngine(wish, kernels),
    version: await openRegistry(folder).choose(),
    warmUpBatches: [1],
    limitMs: 60_000,
    inFlight,
  });
  open.push(inference);
  return inference;
}

function window(seed: number, length = 80_000): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length }, () => uniform() - 0.5);
}

function expectClose(actual: Float32Array, expected: Float32Array, tolerance: number): void {
  expected.forEach((value, index) => {
    expect(Math.abs(actual[index]! - value)).toBeLessThan(tolerance);
  });
}

describe('the inference thread', () => {
  it.each(['cpu', 'wasm'] as const)(
    'answers windows of a batch as it answers them alone: %s',
    async (wish) => {
      const inference = await start(wish);
      const windows = [window(1), window(2, 30_000), window(3)];
      const { probabilities } = await inference.infer(windows);
      for (const [index, alone] of windows.entries()) {
        const result = await inference.infer([alone]);
        expectClose(result.probabilities[0]!, probabilities[index]!, 1e-5);
        expect(result.probabilities[0]!.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      }
    },
  );

  it('pads a short window with zeros at its end', async () => {
    const inference = await start('cpu');
    const short = window(4, 20_000);
    const padded = new Float32Array(80_000);
    padded.set(short);
    const { probabilities } = await inference.infer([short, padded]);
    expect(probabilities[0]).toEqual(probabilities[1]);
  });

  it('answers alike on libtensorflow and WebAssembly, within 1e-4', async () => {
    const [cpu, wasm] = [await start('cpu'), await start('wasm')];
    const given = [window(5)];
    const [first, second] = [await cpu.infer(given), await wasm.infer(given)];
    expectClose(second.probabilities[0]!, first.probabilities[0]!, 1e-4);
  });

  it('answers what it was asked before it goes, and refuses afterwards', async () => {
    const inference = await start('cpu');
    // So many that the thread is still at them when it is told to go.
    const windows = Array.from({ length: 100 }, () => window(6));
    const [first, second] = [inference.infer(windows), inference.infer([window(6)])];
    await inference.close();
    expect((await first).probabilities).toHaveLength(100);
    expect((await second).probabilities).toHaveLength(1);
    await expect(inference.exited).resolves.toBe('closed');
    await expect(inference.infer([window(7)])).rejects.toMatchObject({ code: 'engine-unavailable' });
  });
});

describe('two batches begun at a time', () => {
  it('are answered as on the kernels alone, each with its own, those too that are begun when it ends', async () => {
    const [native, beside] = [await start('cpu'), await start('cpu', 'inputs', 2)];
    expect([native.engine, beside.engine]).toEqual([
      expect.stringContaining('native'),
      expect.stringMatching(/^cpu \(libtensorflow .* front end\)$/),
    ]);
    const batches = [10, 20, 30, 40].map((seed) => [window(seed), window(seed + 1, 50_000)]);
    const answers = Promise.all(batches.map((batch) => beside.infer(batch)));
    await beside.close();
    for (const [index, { probabilities, inferenceMs }] of (await answers).entries()) {
      const expected = await native.infer(batches[index]!);
      for (const [place, row] of probabilities.entries())
        expectClose(row, expected.probabilities[place]!, 1e-4);
      expect(inferenceMs).toBeGreaterThan(0);
    }
  });
});

describe('a version that does not load in time', () => {
  /** An addon that never comes back from its loading on any thread but this one. */
  async function hangingAddon(name: string, hang: string): Promise<EngineChoice> {
    const path = join(folder, `${name}.cjs`);
    await writeFile(
      path,
      `if (!require('node:worker_threads').isMainThread) { ${hang} } module.exports = { releaseMemory: () => undefined };`,
    );
    const kernels = { path, instructionSet: 'none', threads: 1, computes: 'networks', forced: true } as const;
    return { kind: 'wasm', kernels };
  }

  it('is not tried again while the thread before is stuck in what cannot be stopped', async () => {
    const version = await openRegistry(folder).choose();
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    // Waits for somebody to write.
    const choice = await hangingAddon('stuck', `require('node:fs').readFileSync(${JSON.stringify(pipe)});`);
    const start = (limitMs = 1500): Promise<Inference> =>
      startInference({ choice, version, warmUpBatches: [1], limitMs });
    await expect(start()).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: 'Loading random took more than 1.5 s, and was given up.',
    });
    await expect(start()).rejects.toThrow('still hangs');
    const writer = await openFile(pipe, 'w');
    await writeFile(join(folder, 'stuck.cjs'), 'module.exports = { releaseMemory: () => undefined };');
    await writer.close();
    const again = async (): Promise<string> => start(60_000).then(String, String);
    let told = await again();
    while (told.includes('still hangs')) {
      await setImmediate(); // its end is an event
      told = await again();
    }
    expect(told).toContain('The inference thread did not start');
  });
});

describe('an engine that cannot be had', () => {
  const quiet = { onProgress: (): void => undefined, onFallback: (): void => undefined };

  it('is refused with the reason when its platform has no libtensorflow', async () => {
    const options = { cacheFolder: folder, onProgress: quiet.onProgress, platform: 'sunos-x64' };
    await expect(provideEngine('cpu', options)).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringContaining('sunos-x64'),
    });
  });

  it('is refused with what to do where it cannot be kept: in an image that only serves', async () => {
    const file = join(folder, 'no-folder');
    await writeFile(file, '');
    const options = { cacheFolder: join(file, 'cache'), onProgress: quiet.onProgress };
    await expect(provideEngine('cpu', options)).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringMatching(
        /^libtensorflow cannot be kept: .*Set XDG_CACHE_HOME .* an image that has it/,
      ),
    });
  });

  it('is refused when pip is not there, and auto falls back to WebAssembly and says why', async () => {
    const path = process.env['PATH'];
    const cacheFolder = join(folder, 'empty-cache');
    const reasons: string[] = [];
    process.env['PATH'] = folder;
    try {
      await expect(chooseEngine({ wish: 'cpu', cacheFolder, ...quiet })).rejects.toThrow('python3 with pip');
      const onFallback = (reason: string): number => reasons.push(reason);
      await expect(
        chooseEngine({ wish: 'auto', cacheFolder, onProgress: quiet.onProgress, onFallback }),
      ).resolves.toEqual({
        kind: 'wasm',
      });
    } finally {
      process.env['PATH'] = path;
    }
    expect(reasons.join()).toContain('python3 with pip');
  });
});
