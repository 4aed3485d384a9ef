import { Pipeline } from '../../shared/compute/inference/pipeline';

/** What a pipeline does with batches, in order, and the promise of the end of each. */
function setUp(isBeside: boolean) {
  const events: string[] = [];
  const ends = new Map<number, () => void>();
  const pipeline = new Pipeline<number>((batch) => {
    events.push(`begin ${batch}`);
    return () => {
      events.push(`finish ${batch}`);
      ends.get(batch)?.();
    };
  }, isBeside);
  const finished = (batch: number): Promise<void> =>
    new Promise((resolve) => {
      ends.set(batch, resolve);
    });
  return { pipeline, events, finished };
}

describe('batches of an engine that computes beside its thread', () => {
  it('are begun before the one ahead is waited for, at most two at a time, and finished in order', async () => {
    const { pipeline, events, finished } = setUp(true);
    const last = finished(3);
    for (const batch of [1, 2, 3]) pipeline.take(batch);
    expect(events).toEqual(['begin 1', 'begin 2', 'finish 1', 'begin 3', 'finish 2']);
    await last;
    expect(events.slice(5)).toEqual(['finish 3']);
  });

  it('are finished alone where no other comes, and once', async () => {
    const { pipeline, events, finished } = setUp(true);
    const first = finished(1);
    pipeline.take(1);
    expect(events).toEqual(['begin 1']);
    await first;
    pipeline.flush();
    expect(events).toEqual(['begin 1', 'finish 1']);
  });

  it('are finished at once when the thread ends', () => {
    const { pipeline, events } = setUp(true);
    pipeline.take(1);
    pipeline.flush();
    expect(events).toEqual(['begin 1', 'finish 1']);
  });
});

it('batches of an engine that computes in its thread are finished as they come', () => {
  const { pipeline, events } = setUp(false);
  pipeline.take(1);
  pipeline.take(2);
  expect(events).toEqual(['begin 1', 'finish 1', 'begin 2', 'finish 2']);
});
