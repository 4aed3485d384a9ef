import { indexOfNonFinite } from '../../../shared/signal/finite';
import type { BatchLimits, QueueLimits } from '../../../shared/batching/batch-limits';
import { MicroBatcher } from '../../../shared/batching/micro-batcher';
import type { Clock } from '../../../shared/runtime/clock';
import { deferred, type Deferred } from '../../../shared/runtime/deferred';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { Inference, InferenceResult } from '../../../shared/compute/inference/inference';
import type { Metrics } from '../../../shared/observability/metrics';
import { AppError } from '../../../shared/errors/app-error';
import { InferenceSupervisor, type EngineState } from './inference-supervisor';

/** What a model says of one window, and what its whole batch took on the engine. */
export interface WindowScores {
  readonly probabilities: Float32Array;
  /** What else speaks for each class, where the model judges it. */
  readonly evidence: Float32Array | undefined;
  /** The probabilities of AudioSet's tags, where an encoder hears. */
  readonly tags: Float32Array | undefined;
  readonly inferenceMs: number;
}

export type WindowBatcher = MicroBatcher<Float32Array, WindowScores>;

/**
 * A model as those who ask it see it: whatever is submitted to its batcher is judged by it and no other.
 */
export interface ServedModel {
  readonly manifest: Manifest;
  readonly batcher: WindowBatcher;
}

/** Keeps a model from being dropped while somebody works with it. */
export interface Lease {
  readonly model: ServedModel;
  /** To be called once. */
  readonly release: () => void;
}

export interface LoadedModelOptions {
  readonly manifest: Manifest;
  /**
   * Loads and warms it up on a fresh thread: now, and again whenever that thread dies. What it is told
   * of are the limits of the engine that it took.
   */
  readonly start: (setLimits: (limits: BatchLimits) => void) => Promise<Inference>;
  readonly supervision: {
    readonly firstBackoffMs: number;
    readonly maxBackoffMs: number;
    readonly hungAfterMs: number;
  };
  readonly batching: BatchLimits & QueueLimits & { readonly streamShare: number };
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly onServing: (inference: Inference) => void;
  readonly onLost: (reason: string, retryMs: number, failures: number) => void;
}

/** A model on a thread of its own, with a queue of its own: two models never share a batch. */
export class LoadedModel implements ServedModel {
  readonly manifest: Manifest;
  readonly batcher: WindowBatcher;
  /** Settles when it can answer; rejects with why it never will. */
  readonly started: Promise<void>;
  readonly #supervisor: InferenceSupervisor;
  #leases = 0;
  #retired: Deferred<undefined> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ manifest, batching, supervision, metrics, start, ...options }: LoadedModelOptions) {
    this.manifest = manifest;
    const supervisor = new InferenceSupervisor({
      ...supervision,
      ...options,
      start: () =>
        start((limits) => {
          this.batcher.setLimits(limits);
        }),
    });
    this.#supervisor = supervisor;
    this.started = supervisor.started;
    this.batcher = new MicroBatcher<Float32Array, WindowScores>({
      run: async (windows) => {
        const { probabilities, evidence, tags, inferenceMs } = await supervisor.infer(windows);
        metrics.batchSize.observe(windows.length);
        metrics.inferenceSeconds.observe(inferenceMs / 1000);
        return probabilities.map((scores, window) => ({
          probabilities: scores,
          evidence: evidence?.[window],
          tags: tags?.[window],
          inferenceMs,
        }));
      },
      check: assertFinite,
      ...batching,
      clock: options.clock,
    });
  }

  get state(): EngineState {
    return this.#supervisor.state;
  }

  /** Undefined while its thread is being restarted. */
  get inference(): Inference | undefined {
    return this.state.status === 'ready' ? this.state.inference : undefined;
  }

  /**
   * Judges windows without the queue; given up when its thread hangs. @throws AppError as
   * InferenceSupervisor.infer does
   */
  readonly infer = (windows: readonly Float32Array[]): Promise<InferenceResult> =>
    this.#supervisor.infer(windows);

  lease(): Lease {
    this.#leases += 1;
    return {
      model: this,
      release: () => {
        this.#leases -= 1;
        if (this.#leases === 0) this.#retired?.resolve(undefined);
      },
    };
  }

  /** Nobody new will ask it: it is dropped when those who do are done; resolves then. */
  async retire(): Promise<void> {
    this.#retired ??= deferred<undefined>();
    if (this.#leases === 0) this.#retired.resolve(undefined);
    await this.#retired.promise;
    await this.close();
  }

  /** Answers what was submitted, then ends its thread. */
  close(): Promise<void> {
    this.#closing ??= this.batcher.close().then(() => this.#supervisor.close());
    return this.#closing;
  }

  /** Ends its thread at once: for a model that nobody was ever given. */
  drop(): Promise<void> {
    return this.#supervisor.close();
  }
}

/**
 * Samples can be finite and so large that resampling them gives infinity; the engine would refuse the
 * whole batch.
 * @throws AppError non-finite-audio
 */
function assertFinite(samples: Float32Array): void {
  if (indexOfNonFinite(samples) < 0) return;
  throw new AppError('non-finite-audio', 'Some samples are not numbers, or too large: full scale is ±1.');
}
