import { levelOf } from '../../shared/signal/level';
import { Drift } from '../../services/classifier/model/drift';
import { observeWindow, type ObservedWindow } from '../../services/classifier/model/judge-windows';
import type { ValidationProfile } from '../../shared/contracts/report';
import { Metrics } from '../../shared/observability/metrics';
import { manifest as fakeManifest } from '../support/fake-inference';

const manifest = { ...fakeManifest, classes: ['dog', 'rain'] };

/** 30 clips taken for dogs and 70 for rain; as many sure as unsure; all between −10 and 0 dBFS. */
const reference: ValidationProfile = {
  clips: [],
  labels: [],
  answers: [...Array<number>(30).fill(0), ...Array<number>(70).fill(1)],
  confidence: [0, 0, 0, 0, 0, 50, 0, 0, 0, 50],
  levels: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100],
};

function heard(label: string, confidence: number, amplitude: number): ObservedWindow {
  const predictions = [{ label, probability: confidence }];
  const samples = new Float32Array(100).fill(amplitude);
  return observeWindow(samples, levelOf(samples), {
    label,
    unknown: false,
    confidence,
    predictions,
  });
}

const times = (count: number, window: ObservedWindow): ObservedWindow[] =>
  Array<ObservedWindow>(count).fill(window);

function driftOf(...windows: ObservedWindow[]): Drift {
  const drift = new Drift();
  drift.expect(manifest, reference);
  drift.look(manifest, windows);
  return drift;
}

describe('drift', () => {
  it('is none while the same is heard', () => {
    const drift = driftOf(
      ...times(30, heard('dog', 0.55, 0.5)),
      ...times(20, heard('rain', 0.55, 0.5)),
      ...times(50, heard('rain', 0.95, 0.5)),
    );
    expect(drift.windows).toBe(100);
    expect(drift.index('classes')).toBeCloseTo(0, 12);
    expect(drift.index('confidence')).toBeCloseTo(0, 12);
    expect(drift.index('levels')).toBeCloseTo(0, 12);
  });

  it('has the population stability index of the shares, half a window added to each', () => {
    // 60 dogs and 40 rain against 30 and 70, of 101 each: (60.5 − 30.5)/101 · ln(60.5/30.5) + (40.5 −
    // 70.5)/101 · ln(40.5/70.5).
    const drift = driftOf(...times(60, heard('dog', 0.55, 0.5)), ...times(40, heard('rain', 0.55, 0.05)));
    expect(drift.index('classes')).toBeCloseTo(0.368087, 6);
    // All at 0.55: 100 and 0 of the two bins that hold 50 each, eight empty ones; of 105.
    const confidence = (50 / 105) * Math.log(100.5 / 50.5) + (-50 / 105) * Math.log(0.5 / 50.5);
    expect(drift.index('confidence')).toBeCloseTo(confidence, 12);
    // 40 windows at −26 dBFS, two bins below.
    const levels = (-40 / 106) * Math.log(60.5 / 100.5) + (40 / 106) * Math.log(40.5 / 0.5);
    expect(drift.index('levels')).toBeCloseTo(levels, 12);
  });

  it('is not a number while too little was heard, or where the model has no reference', () => {
    expect(driftOf(...times(99, heard('dog', 0.5, 0.5))).index('classes')).toBeNaN();
    const drift = driftOf(...times(100, heard('dog', 0.5, 0.5)));
    expect(drift.index('classes')).toBeGreaterThan(0.25);
    drift.expect(manifest, undefined);
    drift.look(manifest, times(200, heard('dog', 0.5, 0.5)));
    expect(drift.index('classes')).toBeNaN();
  });

  it('forgets what is older than a thousand windows, and what another model said', () => {
    const drift = driftOf(...times(1000, heard('dog', 0.95, 0.5)));
    drift.look(manifest, times(300, heard('dog', 0.95, 0.5)));
    drift.look(manifest, times(700, heard('rain', 0.95, 0.5)));
    expect(drift.windows).toBe(1000);
    expect(drift.index('classes')).toBeLessThan(0.001);
    drift.look({ ...manifest, version: 'another' }, times(500, heard('dog', 0.95, 0.5)));
    expect(drift.index('classes')).toBeLessThan(0.001);
  });

  it('does not take the zeros that fill up a window for quiet', () => {
    const padded = new Float32Array(1000);
    padded.fill(0.5, 0, 100);
    const window = { ...heard('dog', 0.95, 0.5), samples: padded };
    expect(driftOf(...times(100, window)).index('levels')).toBeCloseTo(0, 12);
  });

  it('is shown to Prometheus', async () => {
    const metrics = new Metrics([]);
    metrics.watchDrift(['classes'], driftOf(...times(100, heard('dog', 0.5, 0.5))));
    const text = await metrics.registry.metrics();
    expect(text).toMatch(/^earshot_drift_stability_index\{kind="classes"\} [0-9.]+$/m);
    expect(text).toContain('\nearshot_drift_windows 100\n');
  });
});
