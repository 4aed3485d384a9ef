import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { EpochMetrics } from '../../../shared/contracts/report';
import { encodeScalarEvent, encodeVersionEvent } from './tensorboard-event';

/** The curves of a run as TensorBoard reads them. */
export interface Tensorboard {
  append(metrics: EpochMetrics): Promise<void>;
  close(): Promise<void>;
}

type Part = 'train' | 'validation';
const fileSuffix = '.earshot';

/**
 * Opens event files in `train/` and `validation/` below the folder: two runs with the same tags `loss`
 * and `accuracy`, so that TensorBoard draws both curves into one chart.
 *
 * The files start with the epochs resumed from (none for a fresh run) and replace earlier ones, so that
 * no epoch is there twice. The time of an earlier epoch is reckoned back from now by the epochs'
 * lengths, which leaves pauses out.
 *
 * @param now milliseconds since 1970
 */
export async function openTensorboard(
  folder: string,
  history: readonly EpochMetrics[],
  now: () => number = Date.now,
): Promise<Tensorboard> {
  const files: FileHandle[] = [];
  for (const part of ['train', 'validation'] as const) {
    files.push(await startFile(path.join(folder, part), part, history, now()));
  }
  const [train, validation] = files as [FileHandle, FileHandle];
  return {
    append: async (metrics) => {
      await write(train, toEvent('train', metrics, now()));
      await write(validation, toEvent('validation', metrics, now()));
    },
    close: async () => {
      await train.close();
      await validation.close();
    },
  };
}

async function startFile(
  folder: string,
  part: Part,
  history: readonly EpochMetrics[],
  nowMs: number,
): Promise<FileHandle> {
  await mkdir(folder, { recursive: true });
  const name = `events.out.tfevents.${nowMs}${fileSuffix}`;
  for (const earlier of await readdir(folder)) {
    if (earlier.endsWith(fileSuffix)) await rm(path.join(folder, earlier));
  }
  const file = await open(path.join(folder, name), 'w');
  let timeMs = nowMs - 1000 * history.reduce((sum, { seconds }) => sum + seconds, 0);
  const records = [encodeVersionEvent(timeMs / 1000)];
  for (const metrics of history) {
    timeMs += metrics.seconds * 1000;
    records.push(toEvent(part, metrics, timeMs));
  }
  await write(file, Buffer.concat(records));
  return file;
}

function toEvent(part: Part, metrics: EpochMetrics, timeMs: number): Buffer {
  const scalars =
    part === 'train'
      ? { loss: metrics.trainLoss, accuracy: metrics.trainAccuracy, seconds: metrics.seconds }
      : { loss: metrics.validationLoss, accuracy: metrics.validationAccuracy };
  return encodeScalarEvent({ wallTimeSeconds: timeMs / 1000, step: metrics.epoch, scalars });
}

async function write(file: FileHandle, bytes: Buffer): Promise<void> {
  await file.appendFile(bytes);
  await file.sync();
}
