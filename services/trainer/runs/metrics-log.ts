import { open } from 'node:fs/promises';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { writeFileAtomically } from '../../../shared/runtime/write-atomically';

/** The curves of a run as JSON lines, an epoch a line. */
export interface MetricsLog {
  /** Resolves when the line is on the disk: a crash afterwards does not lose it. */
  append(metrics: EpochMetrics): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the log so that it holds exactly the epochs resumed from (none for a fresh run). A line that a
 * crash tore, or epochs after the saved state, which will be trained again, are gone; so nothing is
 * there twice.
 */
export async function openMetricsLog(file: string, history: readonly EpochMetrics[]): Promise<MetricsLog> {
  await writeFileAtomically(file, history.map(toLine).join(''));
  const handle = await open(file, 'a');
  return {
    append: async (metrics) => {
      await handle.appendFile(toLine(metrics));
      await handle.sync();
    },
    close: () => handle.close(),
  };
}

function toLine(metrics: EpochMetrics): string {
  return `${JSON.stringify(metrics)}\n`;
}
