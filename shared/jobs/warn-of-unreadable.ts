import type { Logger } from '../observability/logger';
import type { JobStore } from './job-store';

/** Wraps a store. The log names each record that this version cannot read, once. */
export function warnOfUnreadable(store: JobStore, logger: Logger): JobStore {
  const logged = new Set<string>();
  return {
    ...store,
    async all() {
      const stored = await store.all();
      for (const { id, reason } of stored.unreadable) {
        if (!logged.has(id)) logger.warn({ job: id, reason }, 'a job cannot be read, the others can');
        logged.add(id);
      }
      return stored;
    },
  };
}
