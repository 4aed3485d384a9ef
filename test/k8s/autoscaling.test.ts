import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Metrics } from '../../shared/observability/metrics';
import { readYaml, type KubernetesObject } from '../support/kubernetes';
import { describeWithPrograms } from '../support/programs';

interface AdapterRule {
  readonly seriesQuery: string;
  readonly name: { readonly as: string };
  readonly metricsQuery: string;
}

const [rule] = (readYaml('k8s/prometheus-adapter.yaml') as { rules: { custom: AdapterRule[] } }).rules.custom;
const autoscaler = readYaml('k8s/base/autoscaler.yaml') as KubernetesObject;

/** The query as the adapter sends it for the pods of a namespace. */
const query = rule!.metricsQuery
  .replaceAll('<<.LabelMatchers>>', 'namespace="earshot",pod=~"a|b|c"')
  .replaceAll('<<.GroupBy>>', 'pod');

describe('the metric that the autoscaler follows', () => {
  it('is the one that the adapter makes', () => {
    expect(autoscaler.spec.metrics[0].pods.metric.name).toBe(rule!.name.as);
  });

  it('is made of series that the service has', async () => {
    const metrics = new Metrics([]);
    const served = await metrics.registry.metrics();
    const used = [rule!.seriesQuery, query].flatMap((text) => text.match(/earshot_\w+/g) ?? []);
    expect(used).toHaveLength(3);
    for (const name of used) expect(served).toContain(`\n${name} `);
  });
});

describeWithPrograms(['promtool'])('the metric that the autoscaler follows, in Prometheus', () => {
  it('is the mean wait of the last minute, a pod, and 0 where nobody asked', () => {
    const series = (pod: string, kind: string, values: string): object => ({
      series: `earshot_queue_duration_seconds_${kind}{namespace="earshot",pod="${pod}"}`,
      values,
    });
    const test = {
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: [
            // a: 30 requests in 15 s that waited 0.5 s each; b: idle since long; c: has never been asked.
            series('a', 'sum', '0+15x20'),
            series('a', 'count', '0+30x20'),
            series('b', 'sum', '7+0x20'),
            series('b', 'count', '9+0x20'),
            series('c', 'sum', '0+0x20'),
            series('c', 'count', '0+0x20'),
          ],
          promql_expr_test: [
            {
              expr: query,
              eval_time: '5m',
              exp_samples: [
                { labels: '{pod="a"}', value: 0.5 },
                { labels: '{pod="b"}', value: 0 },
                { labels: '{pod="c"}', value: 0 },
              ],
            },
          ],
        },
      ],
    };
    const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
    const file = join(folder, 'test.yaml');
    writeFileSync(file, stringify(test));
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect({ status, words: stdout + stderr }).toMatchObject({ status: 0 });
  });
});
