import { once } from 'node:events';
import { AppError } from '../errors/app-error';
import type { JobEvent } from './job-queue';
import { isEnded } from './job-record';
import type { JobStore } from './job-store';

/** Yields a job, and again after every change. A slow reader gets only the latest state. */
export async function* jobEvents(
  store: JobStore,
  id: string,
  { after = 0, signal }: { readonly after?: number; readonly signal: AbortSignal },
): AsyncGenerator<JobEvent> {
  const changes = new EventTarget();
  let changed = false;
  const stop = store.watch((which) => {
    if (which !== undefined && which !== id) return;
    changed = true;
    changes.dispatchEvent(new Event('change'));
  });
  const onAbort = (): void => {
    changes.dispatchEvent(new Event('change'));
  };
  signal.addEventListener('abort', onAbort);
  try {
    let seen = after;
    while (!signal.aborted) {
      changed = false;
      const record = await store.read(id);
      if (record === undefined) throw new AppError('not-found', `There is no job ${id}.`);
      const { job, revision } = record;
      if (revision > seen) yield { id: revision, job };
      seen = Math.max(seen, revision);
      if (isEnded(job)) return;
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- set by the watcher
      if (!changed && !signal.aborted) await once(changes, 'change');
    }
  } finally {
    stop();
    signal.removeEventListener('abort', onAbort);
  }
}
