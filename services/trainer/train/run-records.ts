import { join } from 'node:path';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { openMetricsLog } from '../runs/metrics-log';
import { openTensorboard } from '../runs/tensorboard';
import { createProgress, type BatchProgress, type ProgressOptions } from './progress';

/** Where a run's figures go: a terminal, a log of its epochs, TensorBoard. */
export interface RunRecords {
  batch(progress: BatchProgress): void;
  epoch(metrics: EpochMetrics): Promise<void>;
  close(): Promise<void>;
}

/** @param history the run's epochs so far, from which the files go on */
export async function openRunRecords(
  folder: string,
  history: readonly EpochMetrics[],
  options: Omit<ProgressOptions, 'epochsDone'>,
): Promise<RunRecords> {
  const metricsLog = await openMetricsLog(join(folder, 'metrics.jsonl'), history);
  const tensorboard = await openTensorboard(join(folder, 'tensorboard'), history);
  const progress = createProgress({ ...options, epochsDone: history.length });
  return {
    batch: (done) => {
      progress.batch(done);
    },
    epoch: async (metrics) => {
      await metricsLog.append(metrics);
      await tensorboard.append(metrics);
      progress.epoch(metrics);
    },
    close: async () => {
      progress.close();
      await metricsLog.close();
      await tensorboard.close();
    },
  };
}
