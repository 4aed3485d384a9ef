import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { openRunStore } from '../../services/trainer/runs/run-store';

const required = (module: string): string => JSON.stringify(require.resolve(module));

let folder: string;
const processes: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-fence-'));
});

afterEach(async () => {
  for (const child of processes.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/**
 * An attempt of the job `job` in a process of its own: it takes one step of its life at each line that
 * it is told, and says what came of it.
 */
class Attempt {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(attempt: number) {
    const script = `
      const { raiseFence } = require(${required('../../services/trainer/jobs/run-fence')});
      const { openRunStore } = require(${required('../../services/trainer/runs/run-store')});
      const { openRegistry } = require(${required('../../shared/registry/registry')});
      const [folder, attempt] = [${JSON.stringify(folder)}, ${attempt}];
      let fence;
      const values = { weights: { w: Float32Array.of(attempt) } };
      const progress = (bestEpoch) => ({
        settings: {
          network: { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' },
          hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 4, epochs: 3 },
          protocol: { testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] },
          seed: 1,
        },
        dataFingerprint: 'f', engine: 'of attempt ' + attempt, step: 1, history: [], bestEpoch,
      });
      const steps = {
        raise: async () => { fence = await raiseFence(folder + '/models', 'job', attempt); },
        check: () => fence.assertMine(),
        save: async (bestEpoch) => {
          const store = await openRunStore(folder + '/runs', 'run', attempt);
          await store.save({
            progress: progress(Number(bestEpoch)),
            state: { step: 1, weights: values.weights, firstMoments: values.weights, secondMoments: values.weights },
            bestWeights: values.weights,
          });
        },
        publish: () => openRegistry(folder + '/models', fence).publish({ version: 'of-attempt-' + attempt }, { 'weights.bin': 'w' }),
      };
      require('node:readline').createInterface(process.stdin).on('line', (line) => {
        const [step, argument] = line.split(' ');
        steps[step](argument).then(() => console.log('done'), (error) => console.log(error.code ?? String(error)));
      });`;
    this.#child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    processes.push(this.#child);
    const lines: Interface = createInterface(this.#child.stdout!);
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** @returns `done`, or the code of the error */
  async step(step: string): Promise<string> {
    this.#child.stdin!.write(`${step}\n`);
    return String((await this.#lines.next()).value);
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

/** Whose state the next attempt would go on from. */
async function latestState(): Promise<{ engine: string; bestEpoch: number; weights: number[] }> {
  const { progress, state, bestWeights } = (await (
    await openRunStore(join(folder, 'runs'), 'run', 9)
  ).load())!;
  const { engine, bestEpoch } = progress;
  return { engine, bestEpoch, weights: [state.weights['w']![0]!, bestWeights['w']![0]!] };
}

const published = async (): Promise<string[]> =>
  (await readdir(join(folder, 'models'))).filter((name) => !name.startsWith('.'));

describe('an attempt that was taken for lost while it was held up', () => {
  it('between its look at the fence and its writing changes nothing of what the later one has made', async () => {
    const [lost, owner] = [new Attempt(1), new Attempt(2)];
    expect(await lost.step('raise')).toBe('done');
    expect(await lost.step('save 1')).toBe('done');
    expect(await lost.step('check')).toBe('done');
    expect(await owner.step('raise')).toBe('done');
    expect(await owner.step('save 2')).toBe('done');
    expect(await lost.step('save 3')).toBe('done');
    expect(await latestState()).toEqual({ engine: 'of attempt 2', bestEpoch: 2, weights: [2, 2] });
    expect(await lost.step('publish')).toBe('conflict');
    expect(await published()).toEqual([]);
    expect(await owner.step('publish')).toBe('done');
    expect(await lost.step('publish')).toBe('conflict');
    expect(await published()).toEqual(['of-attempt-2']);
    expect(await lost.step('check')).toBe('conflict');
    expect(await lost.step('raise')).toBe('conflict');
    expect(await owner.step('publish')).toBe('invalid-checkpoint'); // the name is taken; the folder is still its own
  });

  it('of several that begin at once, none but the last can publish', async () => {
    const attempts = [1, 2, 3, 4].map((attempt) => new Attempt(attempt));
    const raised = await Promise.all(attempts.map((attempt) => attempt.step('raise')));
    expect(raised[3]).toBe('done');
    const outcomes = await Promise.all(
      attempts.map(async (attempt, index) =>
        raised[index] === 'done' ? attempt.step('publish') : 'conflict',
      ),
    );
    expect(outcomes).toEqual(['conflict', 'conflict', 'conflict', 'done']);
    expect(await published()).toEqual(['of-attempt-4']);
  });

  it('hands on its epochs, and takes what it was writing out of the way', async () => {
    const lost = new Attempt(1);
    await lost.step('raise');
    await lost.step('save 1');
    await lost.end();
    expect(await latestState()).toEqual({ engine: 'of attempt 1', bestEpoch: 1, weights: [1, 1] });
    const owner = new Attempt(2);
    await owner.step('raise');
    await owner.step('save 2');
    expect(await latestState()).toEqual({ engine: 'of attempt 2', bestEpoch: 2, weights: [2, 2] });
    expect((await readdir(join(folder, 'runs', 'run'))).sort()).toEqual(['best-2.2.bin', 'state.2.bin']);
  });
});
