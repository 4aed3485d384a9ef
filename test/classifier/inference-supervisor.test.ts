import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { deferred } from '../../shared/runtime/deferred';
import { systemClock } from '../../shared/runtime/clock';
import type { Inference } from '../../shared/compute/inference/inference';
import { AppError } from '../../shared/errors/app-error';
import { InferenceSupervisor } from '../../services/classifier/model/inference-supervisor';
import { FakeClock, settled } from '../support/fake-clock';
import { FakeInference, manifest, scoresOf } from '../support/fake-inference';

/** An inference on a real thread that a window of −1 kills. */
function startWorker(threads: Worker[]): Promise<Inference> {
  const worker = new Worker(join(__dirname, '../support/killable-worker.js'));
  threads.push(worker);
  const exited = once(worker, 'exit').then(([code]) => `exit code ${String(code)}`);
  return Promise.resolve({
    manifest,
    engine: 'thread',
    exited,
    infer: async (windows) => {
      worker.postMessage(windows);
      const died = exited.then((reason) => {
        throw new AppError('engine-unavailable', `The inference thread is gone: ${reason}.`);
      });
      const [probabilities] = (await Promise.race([once(worker, 'message'), died])) as [Float32Array[]];
      return { probabilities, inferenceMs: 1 };
    },
    close: async () => {
      await worker.terminate();
    },
  });
}

describe('with real threads', () => {
  it('answers a batch on a new thread when the first was killed under it, and the windows survive', async () => {
    const threads: Worker[] = [];
    const lost: string[] = [];
    const supervisor = new InferenceSupervisor({
      start: () => startWorker(threads),
      firstBackoffMs: 1,
      maxBackoffMs: 1,
      hungAfterMs: 60_000,
      clock: systemClock,
      onServing: () => undefined,
      onLost: (reason) => lost.push(reason),
    });
    await supervisor.started;
    await once(threads[0]!, 'online');
    const answer = supervisor.infer([new Float32Array([2.5]), new Float32Array([1.25])]);
    void threads[0]!.terminate();
    expect((await answer).probabilities).toEqual([scoresOf(2.5), scoresOf(1.25)]);
    expect(threads).toHaveLength(2);
    expect(lost).toEqual(['The inference thread was lost: exit code 1']);
    await supervisor.close();
    expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]);
  });

  it('fails a batch that kills two threads, and serves the next one on a third', async () => {
    const threads: Worker[] = [];
    const supervisor = new InferenceSupervisor({
      start: () => startWorker(threads),
      firstBackoffMs: 1,
      maxBackoffMs: 1,
      hungAfterMs: 60_000,
      clock: systemClock,
      onServing: () => undefined,
      onLost: () => undefined,
    });
    await expect(supervisor.infer([new Float32Array([-1])])).rejects.toMatchObject({
      code: 'engine-unavailable',
    });
    expect((await supervisor.infer([new Float32Array([3])])).probabilities).toEqual([scoresOf(3)]);
    expect(threads).toHaveLength(3);
    await supervisor.close();
  });
});

describe('restarting', () => {
  function setUp(starts: (() => Promise<Inference>)[]) {
    const clock = new FakeClock();
    const served: Inference[] = [];
    const lost: { reason: string; retryMs: number }[] = [];
    const supervisor = new InferenceSupervisor({
      start: () => starts.shift()!(),
      firstBackoffMs: 100,
      maxBackoffMs: 350,
      hungAfterMs: 1000,
      clock,
      onServing: (inference) => served.push(inference),
      onLost: (reason, retryMs) => lost.push({ reason, retryMs }),
    });
    return { clock, served, lost, supervisor };
  }
  const fails = (message: string) => () => Promise.reject(new AppError('engine-unavailable', message));

  it('waits longer after each failure, up to a bound, and starts afresh after an answered batch', async () => {
    const [first, second, third] = [new FakeInference(), new FakeInference(), new FakeInference()];
    const { clock, lost, supervisor } = setUp([
      () => Promise.resolve(first),
      fails('no memory'),
      fails('no memory'),
      () => Promise.resolve(second),
      () => Promise.resolve(third),
    ]);
    await supervisor.started;
    first.die('killed');
    await settled();
    expect(supervisor.state).toEqual({
      status: 'unavailable',
      reason: 'The inference thread was lost: killed',
    });
    await clock.advance(100);
    expect(supervisor.state).toMatchObject({ reason: expect.stringContaining('no memory') });
    await clock.advance(200);
    await clock.advance(349);
    expect(supervisor.state.status).toBe('unavailable');
    await clock.advance(1);
    expect(supervisor.state).toEqual({ status: 'ready', inference: second });

    await supervisor.infer([new Float32Array(1)]);
    second.die('killed again');
    await clock.advance(100);
    expect(supervisor.state).toEqual({ status: 'ready', inference: third });
    expect(lost.map(({ retryMs }) => retryMs)).toEqual([100, 200, 350, 100]);
    await supervisor.close();
    expect(third.closed).toBe(true);
  });

  it('gives up a thread whose engine fails three batches in turn, and says how often in turn it failed', async () => {
    const [gone, next] = [new FakeInference(), new FakeInference()];
    const failures: number[] = [];
    const clock = new FakeClock();
    const starts = [() => Promise.resolve(gone), fails('no GPU'), () => Promise.resolve(next)];
    const supervisor = new InferenceSupervisor({
      start: () => starts.shift()!(),
      firstBackoffMs: 100,
      maxBackoffMs: 350,
      hungAfterMs: 1000,
      clock,
      onServing: () => undefined,
      onLost: (_reason, _retryMs, inTurn) => failures.push(inTurn),
    });
    await supervisor.started;
    const ask = (): Promise<unknown> => supervisor.infer([new Float32Array([3])]);
    await ask();
    gone.failWith(new AppError('internal', 'CUDA_ERROR_NOT_PERMITTED'));
    for (let batch = 1; batch < 3; batch++) await expect(ask()).rejects.toMatchObject({ code: 'internal' });
    // The third one is asked again on the next thread.
    const third = ask();
    await settled();
    await clock.advance(100);
    await clock.advance(200);
    expect(await third).toMatchObject({ probabilities: [scoresOf(3)] });
    expect([failures, gone.closed]).toEqual([[1, 2], true]);
    await supervisor.close();
  });

  it('reports a first start that fails and does not try again by itself', async () => {
    const { clock, supervisor } = setUp([fails('no such engine')]);
    await expect(supervisor.started).rejects.toThrow('no such engine');
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes a thread that comes up after it was told to stop, and lets nobody wait for it', async () => {
    const late = new FakeInference();
    const loading = deferred<Inference>();
    const { supervisor } = setUp([() => loading.promise]);
    const waiting = supervisor.infer([new Float32Array(1)]);
    await supervisor.close();
    await expect(waiting).rejects.toMatchObject({ code: 'draining' });
    loading.resolve(late);
    await settled();
    expect(late.closed).toBe(true);
  });

  it('gives a batch that hangs to a fresh thread, and counts no time of batches that were answered', async () => {
    const [first, second] = [new FakeInference(), new FakeInference()];
    const { clock, lost, supervisor } = setUp([() => Promise.resolve(first), () => Promise.resolve(second)]);
    await supervisor.infer([new Float32Array([3])]);
    await clock.advance(1000);
    expect(lost).toEqual([]);

    first.hold();
    const answer = supervisor.infer([new Float32Array([2.5])]);
    await clock.advance(999);
    expect(supervisor.state.status).toBe('ready');
    await clock.advance(1);
    expect(first.closed).toBe(true);
    expect(supervisor.state).toMatchObject({ reason: expect.stringContaining('no answer after 1 s') });
    await clock.advance(100);
    expect((await answer).probabilities).toEqual([scoresOf(2.5)]);
    expect(second.batchSizes).toEqual([1]);
    await supervisor.close();
  });

  it('does not retry an error of the engine itself', async () => {
    const inference = new FakeInference();
    inference.infer = () => Promise.reject(new AppError('internal', 'bad shape'));
    const { supervisor, lost } = setUp([() => Promise.resolve(inference)]);
    await expect(supervisor.infer([new Float32Array(1)])).rejects.toThrow('bad shape');
    expect(lost).toEqual([]);
    await supervisor.close();
  });
});
