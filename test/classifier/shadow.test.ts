import { levelOf } from '../../shared/signal/level';
import pino from 'pino';
import { observeWindow, type ObservedWindow } from '../../services/classifier/model/judge-windows';
import { Shadow } from '../../services/classifier/model/shadow';
import { Metrics } from '../../shared/observability/metrics';
import type { Registry } from '../../shared/registry/registry';
import { AppError } from '../../shared/errors/app-error';
import { until } from '../support/fake-clock';
import { FakeInference, manifest } from '../support/fake-inference';
import { fakeModel } from '../support/service-harness';

const live = { ...manifest, version: 'live' };
let inference: FakeInference;
let shadow: Shadow;
let metrics: Metrics;
let busy: boolean;

beforeEach(async () => {
  inference = new FakeInference();
  metrics = new Metrics([]);
  busy = false;
  shadow = new Shadow({
    registry: {
      read: (name: string) =>
        name === 'broken'
          ? Promise.reject(new AppError('invalid-checkpoint', 'It was cut.'))
          : Promise.resolve({ folder: '', manifest: { ...manifest, version: name } }),
    } as Registry,
    load: (version) => fakeModel(() => Promise.resolve(inference), metrics, 8, version.manifest),
    isBusy: () => busy,
    metrics,
    logger: pino({ level: 'silent' }),
  });
  await shadow.follow({ version: 'candidate', share: 1 });
});
afterEach(() => shadow.close());

/** A window that the fake engine takes for `Math.floor(marker)`, and what the live model said of it. */
function window(marker: number, label: string, confidence: number): ObservedWindow {
  const predictions = [{ label, probability: confidence }];
  const samples = new Float32Array(100).fill(marker);
  return observeWindow(samples, levelOf(samples), { label, unknown: false, confidence, predictions });
}

const judged = (): number => shadow.figures!.agreed + shadow.figures!.disagreed;

describe('a shadow', () => {
  it('counts how often it says the same, and how much surer it is', async () => {
    // The fake engine is 0.85 sure of a marker that ends in .5 (the rest in equal parts), 0.7 of a whole
    // one.
    shadow.look(live, [window(0.5, 'dog', 0.8), window(1.5, 'rain', 0.9), window(2, 'dog', 0.6)]);
    await until(() => judged() === 3);
    expect(shadow.figures).toMatchObject({
      version: 'candidate',
      share: 1,
      agreed: 2,
      disagreed: 1,
      dropped: 0,
    });
    // (0.05 − 0.05 + 0.1) ÷ 3
    expect(shadow.figures!.meanConfidenceDifference).toBeCloseTo(0.1 / 3, 6);
    const text = await metrics.registry.metrics();
    expect(text).toContain('\nearshot_shadow_windows_total{outcome="agreed"} 2\n');
    expect(text).toContain('\nearshot_shadow_confidence_difference_ratio_count 3\n');
  });

  it('judges the share that it is told', async () => {
    await shadow.follow({ version: 'candidate', share: 0.25 });
    for (let turn = 0; turn < 8; turn += 1) {
      const before = judged();
      shadow.look(live, [window(0.5, 'dog', 0.8)]);
      if (turn % 4 === 3) await until(() => judged() === before + 1);
    }
    expect([judged(), inference.batchSizes.length, shadow.figures!.dropped]).toEqual([2, 2, 0]);
  });

  it('leaves out what comes while it judges, or while others wait', async () => {
    inference.hold();
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    shadow.look(live, [window(0.5, 'dog', 0.8), window(0.5, 'dog', 0.8)]);
    expect(shadow.figures).toMatchObject({ agreed: 0, dropped: 2 });
    inference.release();
    await until(() => judged() === 1);
    busy = true;
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    expect([inference.batchSizes.length, shadow.figures!.dropped]).toEqual([1, 3]);
  });

  it('that dies is started again, and what was on it left out', async () => {
    inference.hold();
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    const dead = inference;
    inference = new FakeInference();
    dead.die('out of memory');
    await until(() => shadow.figures!.dropped === 1);
    await until(() => {
      shadow.look(live, [window(0.5, 'dog', 0.8)]);
      return judged() > 0;
    });
    expect(inference.batchSizes.length).toBeGreaterThan(0);
  });

  it('that cannot be loaded is named, and judges nothing', async () => {
    await shadow.follow({ version: 'broken', share: 1 });
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    expect(shadow.figures).toMatchObject({
      version: 'broken',
      problem: 'It was cut.',
      agreed: 0,
      dropped: 0,
    });
  });

  it('begins to count anew when it is another, and ends when it is none', async () => {
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    await until(() => judged() === 1);
    await shadow.follow({ version: 'candidate-2', share: 1 });
    expect(judged()).toBe(0);
    await shadow.follow(undefined);
    shadow.look(live, [window(0.5, 'dog', 0.8)]);
    expect(shadow.figures).toBeUndefined();
  });
});
