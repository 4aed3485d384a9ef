import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { describeWith, program } from '../support/needs';
import { startHarness, stopHarness, type Harness } from '../support/service-harness';

const folder = resolve('k8s/monitoring');
const rules = readFileSync(`${folder}/alerts.yaml`, 'utf8');
const dashboard = readFileSync(`${folder}/dashboard.json`, 'utf8');

let harness: Harness;
let known: Set<string>;

beforeAll(async () => {
  harness = await startHarness();
  harness.metrics.showModel({ version: 'v', architecture: 'cnn', sha256: 'a', engine: 'cpu' }, ['dog']);
  const text = await harness.metrics.registry.metrics();
  known = new Set([...text.matchAll(/^([a-z]\w*)(?:\{| )/gm)].map(([, name]) => name!));
});
afterAll(() => stopHarness(harness));

/** Names of metrics in a text with PromQL. */
function metricsIn(text: string): string[] {
  const names = [...text.matchAll(/\b(?:earshot|nodejs|process)_\w+/g)].map(([name]) => name);
  return [...new Set(names)];
}

describe('the alert rules and the dashboard', () => {
  it.each([
    ['rules', rules, 10],
    ['dashboard', dashboard, 25],
  ])('ask only for metrics that the service has: %s', (_, text, atLeast) => {
    const asked = metricsIn(text);
    expect(asked.length).toBeGreaterThanOrEqual(atLeast);
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  });

  it('leave none of the service’s own metrics unseen', () => {
    const shown = metricsIn(dashboard + rules).map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    const own = harness.metrics.registry.getMetricsAsArray().map(({ name }) => name);
    const missing = own.filter((name) => name.startsWith('earshot_') && !shown.includes(name));
    // How large uploads are, how much was decoded and what broke is for looking into, not for watching.
    expect(missing.sort()).toEqual([
      'earshot_audio_seconds_total',
      'earshot_decode_failures_total',
      'earshot_http_requests_in_flight',
      'earshot_upload_size_bytes',
    ]);
  });

  it('the operator’s rules are what their own command makes of the alert rules', () => {
    const file = 'prometheus-rule.yaml';
    const committed = readFileSync(`${folder}/${file}`, 'utf8');
    const command = /^#   (\{ sed .*)$/m.exec(committed)![1]!;
    const copy = mkdtempSync(join(tmpdir(), 'earshot-test-'));
    try {
      for (const name of [file, 'alerts.yaml']) copyFileSync(`${folder}/${name}`, join(copy, name));
      execFileSync('sh', ['-euc', command], { cwd: copy });
      const made = readFileSync(join(copy, file), 'utf8');
      // Where they differ the command is said: run it in k8s/monitoring.
      expect({ command, text: committed }).toEqual({ command, text: made });
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('the dashboard’s panels do not overlap', () => {
    const { panels } = JSON.parse(dashboard) as {
      panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, k) => `${x + (k % w)},${y + Math.floor(k / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describeWith(program('promtool'))('the alert rules, by promtool', () => {
  it.each([
    ['are well-formed', ['check', 'rules', 'alerts.yaml']],
    ['stay quiet when all is well and fire when it is not', ['test', 'rules', 'alerts.test.yaml']],
  ])('%s', (_, args) => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' });
    expect([status, status === 0 ? '' : stdout + stderr]).toEqual([0, '']);
  });

  it('each have a test', () => {
    const tests = readFileSync(`${folder}/alerts.test.yaml`, 'utf8');
    const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    for (const alert of alerts) expect(tests.split(`alertname: ${alert}`)).toHaveLength(3);
  });
});
