import { createEngines } from '../../../services/classifier/model/engine/engines';
import { LoadedModel } from '../../../services/classifier/model/loaded-model';
import type { EngineWish } from '../../../shared/environment';
import { AppError } from '../../../shared/errors/app-error';
import { createLogger } from '../../../shared/observability/logger';
import { Metrics } from '../../../shared/observability/metrics';
import { systemClock } from '../../../shared/runtime/clock';
import type { EngineChoice } from '../../../shared/compute/provide/choose-engine';
import type { Inference } from '../../../shared/compute/inference/inference';
import { FakeInference, manifest, scoresOf } from '../../support/fake-inference';

const kernels = { path: '/kernels.node', instructionSet: 'avx2', threads: 2, forced: false } as const;
const inputs = { ...kernels, computes: 'inputs' } as const;
const cuda: EngineChoice = { kind: 'cuda', bindingPath: '/cuda.node', kernels: inputs };
const native: EngineChoice = { kind: 'cpu', kernels: { ...kernels, computes: 'networks' } };

/** What passes an engine over, and what it passed over so far. */
function setUp(engine: EngineWish) {
  const givenUp: string[] = [];
  const engines = createEngines(
    {
      engine,
      engineKernels: 'auto',
      engineThreads: undefined,
      batchMaxWindows: undefined,
      queueMaxWindows: 64,
      encoder: 'off',
      modelLoadMs: 1000,
    },
    {
      encoderCache: '/nowhere',
      logger: createLogger('silent'),
      signal: new AbortController().signal,
      onEngine: () => undefined,
      onGivenUp: (part) => givenUp.push(part),
      started: () => Promise.resolve(),
      changeEngine: () => Promise.resolve(),
    },
  );
  return { engines, givenUp };
}

describe('an engine that fails again and again', () => {
  it('is given up for the CPU, and what was asked meanwhile is answered there', async () => {
    const { engines, givenUp } = setUp('auto');
    const card = new FakeInference();
    const starts: string[] = [];
    let present: EngineChoice = cuda;
    const start = (): Promise<Inference> => {
      present = givenUp.length === 0 ? cuda : native;
      starts.push(present.kind);
      if (present === native) return Promise.resolve(new FakeInference());
      // The card answered once; since it is gone nothing loads on it.
      return starts.length === 1 ? Promise.resolve(card) : Promise.reject(new Error('no GPU'));
    };
    const model = new LoadedModel({
      manifest,
      start,
      supervision: { firstBackoffMs: 1, maxBackoffMs: 1, hungAfterMs: 60_000 },
      batching: { maxItems: 1, maxDelayMs: 0, maxQueuedItems: 64, streamShare: 0.8 },
      clock: systemClock,
      metrics: new Metrics([]),
      onServing: () => undefined,
      onLost: (reason, _retryMs, failures) => {
        engines.lost(present, reason, failures);
      },
    });
    await model.started;
    const ask = async (): Promise<Float32Array> => {
      const [outcome] = await model.batcher.submit([new Float32Array([2.5])]);
      return outcome!.result.probabilities;
    };
    expect(await ask()).toEqual(scoresOf(2.5));
    card.failWith(new AppError('internal', 'CUDA_ERROR_ILLEGAL_ADDRESS'));
    const answers = await Promise.allSettled([ask(), ask(), ask(), ask()]);
    // Two fail before the engine is at fault; the others wait for the one that comes after it.
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
    expect([starts, givenUp]).toEqual([['cuda', 'cuda', 'cuda', 'cpu'], ['cuda']]);
    await model.close();
  });

  it('stays where it is the only one, where it was asked for, and until it failed three times in turn', () => {
    const open = setUp('auto');
    open.engines.lost(native, 'killed', 5);
    open.engines.lost(cuda, 'killed', 2);
    expect(open.givenUp).toEqual([]);
    open.engines.lost(cuda, 'killed', 3);
    open.engines.lost(cuda, 'killed', 4);
    expect(open.givenUp).toEqual(['cuda']);
    const asked = setUp('cuda');
    asked.engines.lost(cuda, 'killed', 9);
    expect(asked.givenUp).toEqual([]);
  });
});
