import { createProgress, type ProgressOptions } from '../../services/trainer/train/progress';
import { createStatusLine } from '../../shared/observability/status-line';

/** A terminal or a file, and a clock that stands still. */
function stage(
  isTTY: boolean,
  columns = 100,
): { written: string[]; clock: { ms: number } } & Pick<ProgressOptions, 'stream' | 'now'> {
  const written: string[] = [];
  const clock = { ms: 0 };
  return {
    written,
    clock,
    stream: { isTTY, columns, write: (text) => written.push(text) },
    now: () => clock.ms,
  };
}

const metricsOf = (epoch: number) => ({
  epoch,
  trainLoss: 1.23456,
  trainAccuracy: 0.4125,
  validationLoss: 1.5,
  validationAccuracy: 0.4,
  seconds: 60,
});

describe('createProgress', () => {
  it('redraws one line on a terminal, with the latest validation and the time left', () => {
    const { written, clock, ...options } = stage(true);
    const progress = createProgress({ ...options, epochs: 10, batchesPerEpoch: 4 });
    clock.ms = 15_000;
    progress.batch({ batch: 1, loss: 2.3456, accuracy: 0.1 });
    // A quarter of ten epochs' first took 15 s: 39 quarters are left.
    expect(written).toEqual([
      '\r\x1b[2Kepoch 1/10  █████░░░░░░░░░░░░░░░ 1/4  10 min left  loss 2.346 acc 10.0 %',
    ]);
    clock.ms = 60_000;
    progress.epoch(metricsOf(1));
    expect(written).toHaveLength(1);
    clock.ms = 90_000;
    progress.batch({ batch: 2, loss: 1.2, accuracy: 0.5 });
    expect(written[1]).toBe(
      '\r\x1b[2Kepoch 2/10  ██████████░░░░░░░░░░ 2/4  9 min left  loss 1.200 acc 50.0 %  val 1.500 40.0 %',
    );
    progress.close();
    expect(written[2]).toBe('\n');
  });

  it('fits into a terminal of 80 columns with every figure', () => {
    const { written, clock, ...options } = stage(true, 80);
    const progress = createProgress({ ...options, epochs: 100, epochsDone: 10, batchesPerEpoch: 8 });
    progress.epoch(metricsOf(11));
    clock.ms = 10_000;
    progress.batch({ batch: 4, loss: 2.3456, accuracy: 0.125 });
    const [drawn] = written.map((text) => text.replace('\r\x1b[2K', ''));
    expect(drawn!.length).toBeLessThan(80);
    expect(drawn).toMatch(
      /^epoch 12\/100 {2}█+░+ 4\/8 {2}.* left {2}loss 2\.346 acc 12\.5 % {2}val 1\.500 40\.0 %$/,
    );
  });

  it('writes one plain line an epoch where there is no terminal', () => {
    const { written, clock, ...options } = stage(false);
    const progress = createProgress({ ...options, epochs: 3, epochsDone: 1, batchesPerEpoch: 4 });
    clock.ms = 5_000;
    progress.batch({ batch: 1, loss: 2, accuracy: 0.1 });
    clock.ms = 60_000;
    progress.epoch(metricsOf(2));
    clock.ms = 120_000;
    progress.epoch(metricsOf(3));
    progress.close();
    const figures = 'loss 1.2346  accuracy 41.3 %  validation loss 1.5000  validation accuracy 40.0 %  60 s';
    expect(written).toEqual([`epoch 2/3  ${figures}  60 s left\n`, `epoch 3/3  ${figures}\n`]);
  });

  it('leaves the last epoch’s figures standing on a terminal', () => {
    const { written, clock, ...options } = stage(true);
    const progress = createProgress({ ...options, epochs: 1, batchesPerEpoch: 1 });
    clock.ms = 1000;
    progress.batch({ batch: 1, loss: 1, accuracy: 1 });
    progress.epoch(metricsOf(1));
    progress.close();
    expect(written.at(-1)).toMatch(/^\r\x1b\[2Kepoch 1\/1 {2}loss 1\.2346 .* 60 s\n$/);
  });

  it.each([
    [4_000, '8.0 s left'],
    [22_500, '45 s left'],
    [360_000, '12 min left'],
    [5_550_000, '3 h 05 min left'],
  ])('tells the time left after one of three epochs in %d ms as %s', (ms, text) => {
    const { written, clock, ...options } = stage(false);
    const progress = createProgress({ ...options, epochs: 3, batchesPerEpoch: 4 });
    clock.ms = ms;
    progress.epoch(metricsOf(1));
    expect(written[0]).toContain(`  ${text}\n`);
  });
});

describe('createStatusLine', () => {
  it('redraws at most ten times a second', () => {
    const { written, clock, stream, now } = stage(true);
    const line = createStatusLine(stream, now);
    for (; clock.ms < 1000; clock.ms += 10) line.update(String(clock.ms));
    expect(written).toHaveLength(10);
  });

  it('never reaches the last column, where a terminal would wrap', () => {
    const { written, stream } = stage(true, 12);
    createStatusLine(stream).update('0123456789abcdef');
    expect(written).toEqual(['\r\x1b[2K0123456789a']);
  });

  it('keeps silent where there is no terminal, but for lines that stay', () => {
    const { written, stream } = stage(false);
    const line = createStatusLine(stream);
    line.update('34 of 400');
    line.print('400 clips');
    line.close();
    expect(written).toEqual(['400 clips\n']);
  });
});
