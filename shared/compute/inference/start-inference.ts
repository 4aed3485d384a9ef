import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import type { Version } from '../../registry/registry';
import type { EngineChoice } from '../provide/choose-engine';
import { assertThreadsAvailable, Thread } from '../../runtime/threads/thread';
import { withTimeout } from '../../runtime/with-timeout';
import type { Inference, InferenceResult } from './inference';
import type { InferenceReply, InferenceRequest, InferenceStart } from './inference-messages';
import { releaseMemory } from '../kernels/kernels-addon';

export interface StartInferenceOptions {
  readonly choice: EngineChoice;
  readonly version: Version;
  /** Batch sizes to compute once before the thread is called ready. */
  readonly warmUpBatches: readonly number[];
  /** A start is given up after so long. */
  readonly limitMs: number;
  /** Nobody waits for its answers: it computes when nobody else does, as far as the system allows. */
  readonly triedOut?: boolean;
  /**
   * Batches that are begun at a time: 2 where the engine computes beside the thread, so that the next
   * batch's inputs are made meanwhile; default 1.
   */
  readonly inFlight?: number;
}

interface Waiting {
  readonly resolve: (result: InferenceResult) => void;
  readonly reject: (error: AppError) => void;
}

/**
 * Threads that were asked to end while they loaded a folder, and have not: they hang in code that nobody
 * can stop.
 */
const stuck = new Map<string, Thread>();

/**
 * Loads a version into a thread of its own and warms it up.
 * @throws AppError engine-unavailable when the engine or the weights do not load, or not in time
 */
export async function startInference(options: StartInferenceOptions): Promise<Inference> {
  const { choice, version, warmUpBatches, limitMs, triedOut = false, inFlight = 1 } = options;
  const start: InferenceStart = {
    choice,
    folder: version.folder,
    manifest: version.manifest,
    warmUpBatches,
    triedOut,
    inFlight,
  };
  assertNoneHangs(version);
  const thread = new Thread(join(__dirname, 'inference-worker.js'), start);
  const { worker } = thread;
  const waiting = new Map<number, Waiting>();
  const copies = recycledCopies(inFlight * Math.max(...warmUpBatches));
  let lastError = 'the thread ended';
  let cause: unknown;
  let nextId = 0;
  const failWaiting = (): void => {
    const failure = new AppError('engine-unavailable', `The inference thread is gone: ${lastError}.`);
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };

  const exited = new Promise<string>((resolve) => {
    worker.on('error', (error) => {
      cause = error;
      lastError = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      failWaiting();
      if (stuck.get(version.folder) === thread) stuck.delete(version.folder);
      // What the thread had is free, and would be kept: a reload after the other, RSS would grow by a
      // batch for every thread.
      releaseMemory();
      resolve(lastError);
    });
  });

  const ready = new Promise<string>((resolve, reject) => {
    worker.on('message', (reply: InferenceReply) => {
      if ('ready' in reply) resolve(reply.engine);
      else settle(waiting, reply);
      if ('windows' in reply) copies.takeBack(reply.windows);
    });
    void exited.then((reason) => {
      const message = `The inference thread did not start: ${reason}.`;
      reject(new AppError('engine-unavailable', message, { cause }));
    });
  });
  const engine = await withTimeout(`Loading ${version.manifest.version}`, limitMs, ready).catch(
    (error: unknown) => {
      // Nobody waits for its end: it may never come.
      if (worker.threadId !== -1) stuck.set(version.folder, thread);
      void thread.end();
      throw error;
    },
  );

  return {
    manifest: version.manifest,
    engine,
    exited,
    infer: (windows) =>
      new Promise<InferenceResult>((resolve, reject) => {
        if (worker.threadId === -1) {
          reject(new AppError('engine-unavailable', `The inference thread is gone: ${lastError}.`));
          return;
        }
        // Copies are sent: windows of one clip may share a buffer, and the caller may ask again if this
        // thread dies.
        const request: InferenceRequest = { id: nextId++, windows: windows.map(copies.of) };
        waiting.set(request.id, { resolve, reject });
        worker.postMessage(
          request,
          request.windows.map(({ buffer }) => buffer),
        );
      }),
    close: async () => {
      lastError = 'closed';
      if (!(await thread.end())) failWaiting();
    },
  };
}

/** @throws AppError engine-unavailable while earlier threads hang */
function assertNoneHangs({ folder, manifest }: Version): void {
  if (stuck.has(folder)) {
    const message = `The thread that was given up loading ${manifest.version} still hangs: see its files' disk.`;
    throw new AppError('engine-unavailable', message);
  }
  assertThreadsAvailable();
}

/** Copies of windows in memory that came back from earlier ones, as far as `most` of one length do. */
function recycledCopies(most: number): {
  readonly of: (window: Float32Array) => Float32Array<ArrayBuffer>;
  readonly takeBack: (windows: readonly Float32Array<ArrayBuffer>[]) => void;
} {
  let idle: Float32Array<ArrayBuffer>[] = [];
  return {
    of(window) {
      const copy = idle.at(-1)?.length === window.length ? idle.pop()! : new Float32Array(window.length);
      copy.set(window);
      return copy;
    },
    takeBack(windows) {
      const length = windows[0]?.length;
      if (idle[0]?.length !== length) idle = [];
      idle.push(...windows.filter((window) => window.length === length).slice(0, most - idle.length));
    },
  };
}

function settle(waiting: Map<number, Waiting>, reply: Exclude<InferenceReply, { ready: true }>): void {
  const caller = waiting.get(reply.id);
  waiting.delete(reply.id);
  if ('error' in reply) caller?.reject(new AppError('internal', reply.error));
  else caller?.resolve(reply.result);
}
