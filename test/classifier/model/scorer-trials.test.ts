import { fastestScorer, type ScorerFigures } from '../../../services/classifier/model/engine/fastest-scorer';
import { ScorerTrials } from '../../../services/classifier/model/engine/scorer-trials';
import { batchLimits } from '../../../services/classifier/model/engine/batch-limits';
import { AppError } from '../../../shared/errors/app-error';
import type { EngineChoice } from '../../../shared/compute/provide/choose-engine';
import type { Measured } from '../../../shared/promotion/gate';
import { createLogger } from '../../../shared/observability/logger';
import type { Version } from '../../../shared/registry/registry';
import { manifest } from '../../support/fake-inference';

const tolerance = 0.01;

function figures(windowMs: number, batchWindowMs: number, largestDifference?: number): ScorerFigures {
  return { engine: 'some', windowMs, batchWindowMs, batchWindows: 16, largestDifference };
}

describe('the fastest scorer', () => {
  it.each([
    ['one that is faster alone and in a batch', [figures(10, 8), figures(5, 4)], 1],
    ['the present one, of equals', [figures(10, 8), figures(10, 8)], 0],
    ['the present one, where another gains less than a tenth', [figures(10, 10), figures(9.5, 9.5)], 0],
    ['one whose batches gain more than its single windows lose', [figures(4, 4), figures(8, 1)], 1],
    ['the present one, where batches gain less than single windows lose', [figures(4, 4), figures(12, 2)], 0],
    ['none that disagrees with the trainer', [figures(10, 8), figures(1, 1, 0.02), figures(5, 4, 1e-6)], 2],
    ['none that could not be measured', [figures(10, 8), { engine: 'cuda', problem: 'no GPU' }], 0],
    ['another one where the present one fails', [{ engine: 'cuda', problem: 'no' }, figures(90, 90)], 1],
    ['another one where the present one disagrees', [figures(1, 1, 0.5), figures(90, 90, 0)], 1],
    ['the present one where none can be taken', [figures(1, 1, 0.5), figures(90, 90, 0.5)], 0],
  ])('is %s', (_, scorers, expected) => {
    expect(fastestScorer(scorers, 0, tolerance)).toBe(expected);
  });
});

const kernels = { path: '/kernels.node', instructionSet: 'avx2', threads: 2, forced: false } as const;
const native: EngineChoice = { kind: 'cpu', kernels: { ...kernels, computes: 'networks' } };
const inputs = { ...kernels, computes: 'inputs' } as const;
const cuda: EngineChoice = { kind: 'cuda', bindingPath: '/cuda.node', kernels: inputs };
const wasm: EngineChoice = { kind: 'wasm', kernels: inputs };
const version = { folder: '/nowhere', manifest } as Version;

/** Trials on fake engines, whose times a test sets. */
function setUp(times: ReadonlyMap<EngineChoice, number | Error>) {
  const measured: EngineChoice[] = [];
  const stopping = new AbortController();
  const trials = new ScorerTrials({
    candidates: () => Promise.resolve([...times.keys()]),
    batchWindows: (choice) => (choice.kind === 'cuda' ? 64 : 16),
    measure: (_, choice, batchWindows) => {
      measured.push(choice);
      const ms = times.get(choice)!;
      if (ms instanceof Error) return Promise.reject(ms);
      const batchWindowMs = (16 * ms) / batchWindows;
      const rest = { parity: { clips: 3, largestDifference: 1e-7 }, currentWindowMs: undefined };
      return Promise.resolve<Measured>({ engine: choice.kind, windowMs: ms, batchWindowMs, ...rest });
    },
    logger: createLogger('silent'),
    signal: stopping.signal,
  });
  return { trials, measured, stopping };
}

describe('trials of the engines of a machine', () => {
  it('time each on the version, take the fastest and say what was measured', async () => {
    const { trials, measured } = setUp(
      new Map<EngineChoice, number | Error>([
        [wasm, 40],
        [native, 4],
        [cuda, 12],
      ]),
    );
    const changes: string[] = [];
    trials.begin(version, wasm, () => {
      changes.push(trials.fastest(version)!.kind);
      return Promise.resolve();
    });
    await trials.settled();
    // The GPU: 12 ms alone, 3 ms in a batch of 64; the kernels: 4 and 4.
    expect(changes).toEqual(['cpu']);
    expect(measured).toEqual([wasm, native, cuda]);
    expect(trials.scorersOf(manifest.weights.sha256)).toMatchObject([
      { engine: 'wasm', windowMs: 40, batchWindowMs: 40, batchWindows: 16, taken: false },
      { engine: 'cpu', windowMs: 4, taken: true },
      { engine: 'cuda', windowMs: 12, batchWindowMs: 3, batchWindows: 64, taken: false },
    ]);
  });

  it('keep the present one when another fails, and measure once as long as the engines are the same', async () => {
    const times = new Map<EngineChoice, number | Error>([
      [native, 4],
      [cuda, new AppError('engine-unavailable', 'no GPU')],
    ]);
    const { trials, measured } = setUp(times);
    const unexpected = (): Promise<void> => Promise.reject(new Error('nothing is faster'));
    trials.begin(version, native, unexpected);
    trials.begin(version, native, unexpected);
    await trials.settled();
    expect(measured).toEqual([native, cuda]);
    expect(trials.fastest(version)).toEqual(native);
    expect(trials.scorersOf(manifest.weights.sha256)[1]).toEqual({
      engine: 'cuda',
      problem: expect.stringContaining('no GPU') as string,
      taken: false,
    });
    times.set(wasm, 40);
    trials.begin(version, native, unexpected);
    await trials.settled();
    expect(measured).toHaveLength(5);
    trials.forget();
    expect(trials.fastest(version)).toBeUndefined();
  });

  it('forget a faster one that could not take over', async () => {
    const { trials } = setUp(
      new Map<EngineChoice, number | Error>([
        [native, 4],
        [wasm, 1],
      ]),
    );
    trials.begin(version, native, () => Promise.reject(new AppError('invalid-checkpoint', 'differs')));
    await trials.settled();
    expect(trials.fastest(version)).toBeUndefined();
  });

  it('measure nothing where there is one engine, and end when they are called off', async () => {
    const one = setUp(new Map<EngineChoice, number | Error>([[native, 4]]));
    one.trials.begin(version, native, () => Promise.resolve());
    await one.trials.settled();
    expect(one.measured).toEqual([]);
    expect(one.trials.fastest(version)).toBeUndefined();
    const { trials, stopping, measured } = setUp(
      new Map<EngineChoice, number | Error>([
        [native, 4],
        [wasm, 1],
      ]),
    );
    stopping.abort();
    trials.begin(version, native, () => Promise.resolve());
    await trials.settled();
    expect(measured).toEqual([]);
  });
});

describe('batches', () => {
  const queue = { batchMaxWindows: undefined, queueMaxWindows: 512 };

  it('are as large as suits the engine, or as was set, and two at a time where it computes beside', () => {
    expect(batchLimits(native, queue)).toEqual({ maxItems: 16, inFlight: 1 });
    expect(batchLimits(wasm, queue)).toEqual({ maxItems: 16, inFlight: 1 });
    expect(batchLimits(cuda, queue)).toEqual({ maxItems: 64, inFlight: 2 });
    expect(batchLimits(cuda, { ...queue, batchMaxWindows: 8 })).toEqual({ maxItems: 8, inFlight: 2 });
    expect(batchLimits(cuda, { ...queue, queueMaxWindows: 20 }).maxItems).toBe(20);
    const forced: EngineChoice = { ...cuda, kernels: { ...inputs, computes: 'networks' } };
    expect(batchLimits(forced, queue).inFlight).toBe(1);
  });
});
