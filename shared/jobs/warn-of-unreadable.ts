import type { Logger } from '../observability/logger';
import type { JobStore } from './job-store';

/** The same store; the log names each record in it that this version cannot read, once. */
export function warnOfUnreadable(store: JobStore, logger: Logger): JobStore {
  const told = new Set<string>();
  return {
    ...store,
    async all() {
      const stored = await store.all();
      for (const { id, reason } of stored.unreadable) {
        if (!told.has(id)) logger.warn({ job: id, reason }, 'a job cannot be read, the others can');
        told.add(id);
      }
      return stored;
    },
  };
}
