import { percent } from '../report/markup/format';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';

export interface ProgressOptions {
  readonly stream: TextStream;
  readonly epochs: number;
  /** Epochs that are behind a resumed run. */
  readonly epochsDone?: number | undefined;
  readonly batchesPerEpoch: number;
  /** Milliseconds, of any origin. */
  readonly now?: (() => number) | undefined;
}

export interface BatchProgress {
  /** Batches of this epoch that are done. */
  readonly batch: number;
  /** Means over the epoch so far. */
  readonly loss: number;
  readonly accuracy: number;
}

/** Shows a training run to who waits for it. */
export interface Progress {
  batch(progress: BatchProgress): void;
  epoch(metrics: EpochMetrics): void;
  close(): void;
}

const maxBarWidth = 20;
const minBarWidth = 4;

/**
 * On a terminal one line that is redrawn: epoch, bar, time left, loss, accuracy and the latest
 * validation. Elsewhere (a log file) a plain line an epoch.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { stream, epochs, batchesPerEpoch } = options;
  const now = options.now ?? Date.now;
  const line = createStatusLine(stream, now);
  const startedAt = now();
  const epochsBefore = options.epochsDone ?? 0;
  let epochsDone = epochsBefore;
  let validation = '';

  /** Reckons with the mean pace of this session, validation and saving included. */
  const timeLeft = (batches: number): string => {
    const trained = epochsDone - epochsBefore + batches / batchesPerEpoch;
    if (trained === 0) return '';
    const leftMs = ((now() - startedAt) / trained) * (epochs - epochsBefore - trained);
    return `${formatSeconds(leftMs / 1000)} left`;
  };

  return {
    batch: ({ batch, loss, accuracy }) => {
      const parts = [
        `epoch ${epochsDone + 1}/${epochs}`,
        `${batch}/${batchesPerEpoch}`,
        timeLeft(batch),
        `loss ${loss.toFixed(3)} acc ${percent(accuracy)}`,
        validation,
      ];
      const room = (stream.columns ?? 80) - 1 - join(parts).length - 1;
      parts[1] = `${bar(batch / batchesPerEpoch, room)}${parts[1]!}`;
      line.update(join(parts));
    },
    epoch: (metrics) => {
      epochsDone = metrics.epoch;
      validation = `val ${metrics.validationLoss.toFixed(3)} ${percent(metrics.validationAccuracy)}`;
      if (stream.isTTY && epochsDone < epochs) return;
      line.print(
        join([
          `epoch ${metrics.epoch}/${epochs}`,
          `loss ${metrics.trainLoss.toFixed(4)}`,
          `accuracy ${percent(metrics.trainAccuracy)}`,
          `validation loss ${metrics.validationLoss.toFixed(4)}`,
          `validation accuracy ${percent(metrics.validationAccuracy)}`,
          formatSeconds(metrics.seconds),
          epochsDone < epochs ? timeLeft(0) : '',
        ]),
      );
    },
    close: () => {
      line.close();
    },
  };
}

function join(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('  ');
}

/** Draws a bar with a blank behind it; the text is empty where there is no room. */
function bar(share: number, room: number): string {
  const width = Math.min(maxBarWidth, room);
  if (width < minBarWidth) return '';
  const filled = Math.round(Math.min(1, share) * width);
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)} `;
}

/** 8.3 s, 45 s, 12 min, 3 h 05 min */
function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
