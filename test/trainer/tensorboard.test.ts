import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EpochMetrics } from '../../shared/contracts/report';
import { openTensorboard } from '../../services/trainer/runs/tensorboard';
import { encodeScalarEvent, encodeVersionEvent } from '../../services/trainer/runs/tensorboard-event';

describe('an event record', () => {
  // TensorBoard 2.21: RecordWriter(file).write(Event(wall_time=…, …).SerializeToString())
  it('is what TensorBoard writes for the file version', () => {
    expect(encodeVersionEvent(1_700_000_000.5).toString('hex')).toBe(
      '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110',
    );
  });

  it('is what TensorBoard writes for scalars at a step of two bytes', () => {
    const scalars = { loss: 0.5, accuracy: 0.1 };
    expect(encodeScalarEvent({ wallTimeSeconds: 1_700_000_001.25, step: 300, scalars }).toString('hex')).toBe(
      '2c00000000000000f4aecc450900005040fc54d94110ac022a1e0a0b0a046c6f7373150000003f' +
        '0a0f0a08616363757261637915cdcccc3da59bb2a5',
    );
  });
});

interface Point {
  readonly seconds: number;
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** CRC-32C by its definition, a bit at a time. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return ~crc >>> 0;
}

function expectChecksum(bytes: Buffer, stored: number): void {
  // Unmasking: subtract the constant, rotate left by 15.
  const rotated = (stored - 0xa282_ead8) >>> 0;
  expect(((rotated << 15) | (rotated >>> 17)) >>> 0).toBe(crc32c(bytes));
}

/** Takes an event file apart, checking every checksum; steps stay below 128. */
function readEvents(file: Buffer): Point[] {
  const points: Point[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    expectChecksum(file.subarray(at, at + 8), file.readUInt32LE(at + 8));
    const data = file.subarray(at + 12, at + 12 + length);
    expectChecksum(data, file.readUInt32LE(at + 12 + length));
    at += 16 + length;
    if (data.includes('brain.Event:2')) {
      expect(points).toEqual([]);
      continue;
    }
    expect([data[0], data[9], data[11]]).toEqual([0x09, 0x10, 0x2a]);
    const values: Record<string, number> = {};
    for (let value = 13; value < data.length; value += 2 + data[value + 1]!) {
      const tagLength = data[value + 3]!;
      const tag = data.toString('utf8', value + 4, value + 4 + tagLength);
      values[tag] = data.readFloatLE(value + 5 + tagLength);
    }
    points.push({ seconds: data.readDoubleLE(1), step: data[10]!, values });
  }
  return points;
}

const metricsOf = (epoch: number): EpochMetrics => ({
  epoch,
  trainLoss: 1 / epoch,
  trainAccuracy: 0.25,
  validationLoss: 2 / epoch,
  validationAccuracy: 0.125,
  seconds: 10,
});

describe('openTensorboard', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'earshot-tensorboard-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function readPart(part: string): Promise<Point[]> {
    const files = (await readdir(path.join(folder, part))).filter((name) => name.includes('tfevents'));
    expect(files).toHaveLength(1);
    return readEvents(await readFile(path.join(folder, part, files[0]!)));
  }

  it('writes the curves of training and validation under the same tags', async () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283); // The decoder's own check value.
    let time = 1_000_000;
    const board = await openTensorboard(folder, [], () => time);
    time += 10_000;
    await board.append(metricsOf(1));
    time += 10_000;
    await board.append(metricsOf(2));
    expect(await readPart('train')).toEqual([
      { seconds: 1010, step: 1, values: { loss: 1, accuracy: 0.25, seconds: 10 } },
      { seconds: 1020, step: 2, values: { loss: 0.5, accuracy: 0.25, seconds: 10 } },
    ]);
    expect(await readPart('validation')).toEqual([
      { seconds: 1010, step: 1, values: { loss: 2, accuracy: 0.125 } },
      { seconds: 1020, step: 2, values: { loss: 1, accuracy: 0.125 } },
    ]);
    await board.close();
  });

  it('holds each epoch once after a resume, and leaves files of others alone', async () => {
    const first = await openTensorboard(folder, [], () => 1_000_000);
    for (const epoch of [1, 2, 3]) await first.append(metricsOf(epoch));
    await first.close();
    await writeFile(path.join(folder, 'train', 'notes.txt'), 'mine');

    const resumed = await openTensorboard(folder, [1, 2].map(metricsOf), () => 5_000_000);
    await resumed.append(metricsOf(3));
    await resumed.close();
    const train = await readPart('train');
    expect(train.map(({ step, seconds }) => [step, seconds])).toEqual([
      [1, 4990],
      [2, 5000],
      [3, 5000],
    ]);
    expect((await readPart('validation')).map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(await readdir(path.join(folder, 'train'))).toContain('notes.txt');
  });
});
