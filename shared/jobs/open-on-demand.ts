import type { JobQueue } from './job-queue';

/** A queue that is opened by whatever is asked of it first, and again by the next question where that failed. */
export function openOnDemand(create: () => Promise<JobQueue>): JobQueue & { open(): Promise<JobQueue> } {
  let opening: Promise<JobQueue> | undefined;
  const open = (): Promise<JobQueue> => {
    opening ??= create().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    open,
    submit: async (request, key) => (await open()).submit(request, key),
    get: async (id) => (await open()).get(id),
    list: async (filter) => (await open()).list(filter),
    async *events(id, options) {
      yield* (await open()).events(id, options);
    },
    cancel: async (id) => (await open()).cancel(id),
    resume: async (id) => (await open()).resume(id),
    async close() {
      const queue = await opening?.catch(() => undefined);
      await queue?.close();
    },
  };
}
