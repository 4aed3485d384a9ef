import { join } from 'node:path';
import { FairQueue, type Group } from '../batching/fair-queue';
import { AppError } from '../errors/app-error';
import { cancellation } from '../errors/cancellation';
import { Thread } from '../runtime/threads/thread';
import type { ResampleFilter } from './resample-filter';
import { reducedRatio } from './resample';

/** A reduced ratio of output to input rate. */
export interface FilterRequest {
  readonly up: number;
  readonly down: number;
}

/**
 * Designs resampling filters on a thread, because a filter for a new ratio takes tens of milliseconds.
 */
export interface FilterDesigner {
  /**
   * @param caller callers are served round-robin
   * @throws AppError the signal's reason; draining after close(); internal when the thread died
   */
  design(fromHz: number, toHz: number, caller: string, signal: AbortSignal): Promise<ResampleFilter>;
  close(): Promise<void>;
}

/**
 * Number of filters that are cached, of at most 1 MiB each. The least recently used one is dropped
 * first.
 */
const maxKept = 16;
const resourceLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 16, stackSizeMb: 1 };

type Waiting = Group<FilterRequest, ResampleFilter>;

/** Starts the thread with the first filter that is not cached. */
export function createFilterDesigner(): FilterDesigner {
  const known = new Map<string, ResampleFilter>();
  const waiting = new FairQueue<FilterRequest, ResampleFilter>();
  let thread: Thread | undefined;
  let current: { readonly group: Waiting; readonly key: string } | undefined;
  let closed = false;

  function cached(key: string): ResampleFilter | undefined {
    const filter = known.get(key);
    if (filter !== undefined) keep(key, filter);
    return filter;
  }

  function keep(key: string, filter: ResampleFilter): void {
    known.delete(key);
    known.set(key, filter);
    const oldest = known.keys().next();
    if (known.size > maxKept && oldest.done !== true) known.delete(oldest.value);
  }

  function start(): Thread {
    const started = new Thread(join(__dirname, 'filter-worker.js'), undefined, { resourceLimits });
    const { worker } = started;
    // The thread does not keep the process alive; the sockets of the streams do.
    worker.unref();
    worker.on('message', (filter: ResampleFilter) => {
      const done = current!;
      current = undefined;
      keep(done.key, filter);
      done.group.settle(0, filter);
      dispatch();
    });
    const onExit = (cause: unknown): void => {
      if (thread !== started) return;
      thread = undefined;
      const lost = current;
      current = undefined;
      lost?.group.reject(new AppError('internal', 'The thread that designs filters died.', { cause }));
      if (!closed) dispatch();
    };
    worker.on('error', onExit);
    worker.on('exit', onExit);
    return started;
  }

  function dispatch(): void {
    while (current === undefined) {
      const [next] = waiting.take(1);
      if (next === undefined) return;
      const { group, item } = next;
      const key = keyOf(item);
      const filter = cached(key);
      if (filter !== undefined) {
        group.settle(0, filter);
        continue;
      }
      current = { group, key };
      thread ??= start();
      thread.worker.postMessage(item);
    }
  }

  return {
    async design(fromHz, toHz, caller, signal) {
      if (closed) throw new AppError('draining', 'The service is shutting down.');
      if (signal.aborted) throw cancellation(signal);
      const request = reducedRatio(fromHz, toHz);
      const filter = cached(keyOf(request));
      if (filter !== undefined) return filter;
      const group = waiting.add([request], 0, caller);
      const abandon = (): void => {
        waiting.remove(group);
        group.reject(cancellation(signal));
      };
      signal.addEventListener('abort', abandon, { once: true });
      dispatch();
      try {
        const [designed] = await group.promise;
        return designed!;
      } finally {
        signal.removeEventListener('abort', abandon);
      }
    },
    async close() {
      closed = true;
      await thread?.end();
    },
  };
}

function keyOf({ up, down }: FilterRequest): string {
  return `${up}/${down}`;
}
