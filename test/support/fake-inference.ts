import type { Manifest } from '../../shared/contracts/manifest';
import { deferred } from '../../shared/runtime/deferred';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { AppError } from '../../shared/errors/app-error';
import type { Inference, InferenceResult } from '../../shared/compute/inference/inference';

export const classes = ['dog', 'rain', 'clock', 'rooster'];

export const manifest: Manifest = {
  formatVersion: 2,
  version: 'cnn-fake-1',
  createdAt: '2026-01-02T03:04:05Z',
  frontEnds: [reportFrontEnd],
  members: [{ frontEnd: 0, network: { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' } }],
  parameters: 1,
  classes,
  hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 64, epochs: 1 },
  initialisation: 'pytorch-uniform',
  inputScaling: 'unit',
  protocol: { testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] },
  seed: 7,
  data: { clips: 1, fingerprint: 'f'.repeat(64) },
  epoch: 1,
  epochRule: 'best-validation',
  metrics: { validationAccuracy: 0.5, validationLoss: 1, testAccuracy: 0.5, testMacroF1: 0.5 },
  code: { version: '0', revision: '0' },
  engine: 'none',
  weights: { format: 'tfjs', dtype: 'float32', bytes: 1, sha256: 'ab'.repeat(32), maxLogitError: 0 },
};

/**
 * What the fake engine answers to a window that starts with `marker`: the named class and a share of its
 * own.
 */
export function scoresOf(marker: number): Float32Array {
  const scores = new Float32Array(classes.length).fill(0.1 - (marker % 1) / 10);
  const index = Math.floor(marker) % classes.length;
  scores[index] = 1 - scores[0 === index ? 1 : 0]! * (classes.length - 1);
  return scores;
}

/** An inference thread without a network, whose answers and whose death the test controls. */
export class FakeInference implements Inference {
  readonly manifest = manifest;
  readonly engine = 'fake';
  readonly exited: Promise<string>;
  readonly batchSizes: number[] = [];
  closed = false;
  #exit: (reason: string) => void;
  #held: (() => void)[] | undefined;
  #pending = new Set<(error: AppError) => void>();
  #onBatch: (() => void)[] = [];
  #failure: Error | undefined;

  constructor() {
    const { promise, resolve } = deferred<string>();
    this.exited = promise;
    this.#exit = resolve;
  }

  infer(windows: readonly Float32Array[]): Promise<InferenceResult> {
    this.batchSizes.push(windows.length);
    for (const heard of this.#onBatch.splice(0)) heard();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      const answer = (): void => {
        this.#pending.delete(reject);
        resolve({ probabilities: windows.map((window) => scoresOf(window[0] ?? 0)), inferenceMs: 3 });
      };
      if (this.#held === undefined) setImmediate(answer);
      else this.#held.push(answer);
    });
  }

  /** Batches wait from now on. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const answer of held) answer();
  }

  /** Batches fail from now on. */
  failWith(error: Error): void {
    this.#failure = error;
  }

  /** Resolves when the next batch is on the engine. */
  nextBatch(): Promise<void> {
    return new Promise((resolve) => this.#onBatch.push(resolve));
  }

  /** The thread dies, and everything on it. */
  die(reason: string): void {
    const error = new AppError('engine-unavailable', `The inference thread is gone: ${reason}.`);
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.#exit(reason);
  }

  close(): Promise<void> {
    this.closed = true;
    this.die('closed');
    return Promise.resolve();
  }
}
