import { AppError } from '../errors/app-error';
import { createJobQueue } from './create-job-queue';
import type { JobQueue } from './job-queue';

/**
 * Opens a queue when the first job is submitted, or at the first query where jobs exist. A failed
 * attempt is repeated by the next call.
 * @param exists whether any job was ever stored; while none was, queries are answered without opening
 * the queue
 */
export function openOnDemand(
  create: () => Promise<JobQueue>,
  exists: () => boolean,
): JobQueue & { open(): Promise<JobQueue> } {
  let opening: Promise<JobQueue> | undefined;
  const open = (): Promise<JobQueue> => {
    opening ??= create().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const asked = (): Promise<Omit<JobQueue, 'close' | 'warnings'>> =>
    opening === undefined && !exists() ? Promise.resolve(nothingKept) : open();
  return {
    open,
    submit: async (request, key) => (await open()).submit(request, key),
    get: async (id) => (await asked()).get(id),
    list: async (filter) => (await asked()).list(filter),
    unreadable: async () => (await asked()).unreadable(),
    survey: async () => (await asked()).survey(),
    async *events(id, options) {
      yield* (await asked()).events(id, options);
    },
    cancel: async (id) => (await asked()).cancel(id),
    resume: async (id) => (await asked()).resume(id),
    warnings: () => [],
    async close() {
      const queue = await opening?.catch(() => undefined);
      await queue?.close();
    },
  };
}

const refuse = (): Promise<never> => Promise.reject(new AppError('internal', 'Nothing is kept here.'));

const nothingKept = createJobQueue(
  {
    insert: refuse,
    replace: refuse,
    remove: refuse,
    read: () => Promise.resolve(undefined),
    all: () => Promise.resolve({ records: [], unreadable: [] }),
    watch: () => () => undefined,
  },
  refuse,
);
