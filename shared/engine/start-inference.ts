import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors/app-error';
import type { Version } from '../registry/registry';
import type { EngineChoice } from './choose-engine';
import type { Inference, InferenceResult } from './inference';
import type { InferenceReply, InferenceRequest, InferenceStart } from './inference-messages';

export interface StartInferenceOptions {
  readonly choice: EngineChoice;
  readonly version: Version;
  /** Batch sizes to compute once before the thread is called ready. */
  readonly warmUpBatches: readonly number[];
  /** Nobody waits for its answers: it computes when nobody else does, as far as the system allows. */
  readonly triedOut?: boolean;
}

interface Waiting {
  readonly resolve: (result: InferenceResult) => void;
  readonly reject: (error: AppError) => void;
}

/**
 * Loads a version into a thread of its own and warms it up.
 * @throws AppError engine-unavailable when the engine or the weights do not load
 */
export async function startInference(options: StartInferenceOptions): Promise<Inference> {
  const { choice, version, warmUpBatches, triedOut = false } = options;
  const start: InferenceStart = {
    choice,
    folder: version.folder,
    manifest: version.manifest,
    warmUpBatches,
    triedOut,
  };
  const worker = new Worker(join(__dirname, 'inference-worker.js'), { workerData: start });
  const waiting = new Map<number, Waiting>();
  let lastError = 'the thread ended';
  let nextId = 0;

  const exited = new Promise<string>((resolve) => {
    worker.on('error', (error) => {
      lastError = error instanceof Error ? error.message : String(error);
    });
    worker.on('exit', () => {
      const failure = new AppError('engine-unavailable', `The inference thread is gone: ${lastError}.`);
      for (const { reject } of waiting.values()) reject(failure);
      waiting.clear();
      resolve(lastError);
    });
  });

  const engine = await new Promise<string>((resolve, reject) => {
    worker.on('message', (reply: InferenceReply) => {
      if ('ready' in reply) resolve(reply.engine);
      else settle(waiting, reply);
    });
    void exited.then((reason) => {
      reject(new AppError('engine-unavailable', `The inference thread did not start: ${reason}.`));
    });
  });

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
        // Copies are sent: windows of one clip may share a buffer, and the caller may ask again if this thread dies.
        const request: InferenceRequest = { id: nextId++, windows: windows.map((window) => window.slice()) };
        waiting.set(request.id, { resolve, reject });
        worker.postMessage(
          request,
          request.windows.map((window) => window.buffer as ArrayBuffer),
        );
      }),
    close: async () => {
      lastError = 'closed';
      await worker.terminate();
    },
  };
}

function settle(waiting: Map<number, Waiting>, reply: Exclude<InferenceReply, { ready: true }>): void {
  const caller = waiting.get(reply.id);
  waiting.delete(reply.id);
  if ('error' in reply) caller?.reject(new AppError('internal', reply.error));
  else caller?.resolve(reply.result);
}
