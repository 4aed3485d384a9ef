import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Metrics } from '../../shared/observability/metrics';
import {
  documentedYaml,
  only,
  parseObjects,
  readYaml,
  renderKustomization,
  type KubernetesObject,
} from '../support/kubernetes';
import { describeWith, program } from '../support/needs';

interface Trigger {
  readonly type: string;
  readonly metricType: string;
  readonly metadata: { readonly query: string; readonly serverAddress: string; readonly threshold: string };
}

const scaled = readYaml('k8s/components/autoscaling/scaled-object.yaml') as KubernetesObject;
const [trigger] = scaled.spec.triggers as Trigger[];
const { query, threshold } = trigger!.metadata;

interface Load {
  readonly series: string;
  readonly values: string;
}

function series(pod: string, kind: string, values: string, namespace = 'earshot'): Load {
  return {
    series: `earshot_queue_duration_seconds_${kind}{namespace="${namespace}",pod="${pod}"}`,
    values,
  };
}

/** What Prometheus says of the query after five minutes of these series, scraped every 15 s. */
function ask(input: readonly Load[], samples: readonly { labels: string; value: number }[]): object {
  return {
    interval: '15s',
    input_series: input,
    promql_expr_test: [{ expr: query, eval_time: '5m', exp_samples: samples }],
  };
}

describe('the query that the autoscaler follows', () => {
  it('is made of series that the service has', async () => {
    const metrics = new Metrics([]);
    const served = await metrics.registry.metrics();
    const used = query.match(/earshot_\w+/g) ?? [];
    expect(used).toHaveLength(2);
    for (const name of used) expect(served).toContain(`\n${name} `);
  });
});

describeWith(program('promtool'))('the query that the autoscaler follows, in Prometheus', () => {
  it('is one number, the sum of the pods’ mean waits of the last minute, 0 where nobody asked', () => {
    const busy = [
      // a: 30 requests in 15 s that waited 0.5 s each; b: idle since long; c: has never been asked; d:
      // 0.2 s each.
      series('a', 'sum', '0+15x20'),
      series('a', 'count', '0+30x20'),
      series('b', 'sum', '7+0x20'),
      series('b', 'count', '9+0x20'),
      series('c', 'sum', '0+0x20'),
      series('c', 'count', '0+0x20'),
      series('d', 'sum', '0+6x20'),
      series('d', 'count', '0+30x20'),
      // Another deployment, whose waits are none of this one's.
      series('a', 'sum', '0+99x20', 'other'),
      series('a', 'count', '0+30x20', 'other'),
    ];
    const test = {
      evaluation_interval: '15s',
      tests: [
        ask(busy, [{ labels: '{}', value: 0.7 }]),
        ask(busy.slice(2, 6), [{ labels: '{}', value: 0 }]),
        // Nothing, and not 0, where no pod is known: KEDA then leaves the number as it is.
        ask([], []),
      ],
    };
    const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
    const file = join(folder, 'test.yaml');
    writeFileSync(file, stringify(test));
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect({ status, words: stdout + stderr }).toMatchObject({ status: 0 });
  });

  it('is compared with 250 ms a pod', () => {
    expect([trigger!.metricType, Number(threshold)]).toEqual(['AverageValue', 0.25]);
  });
});

describeWith(program('kubectl', 'kustomize'))('the overlay that the documentation shows', () => {
  const objects = parseObjects(renderKustomization(documentedYaml('Overlay') as object));

  it('asks its own Prometheus, in its own namespace', () => {
    const { metadata, spec } = only(objects, 'ScaledObject');
    const [{ metadata: asked }] = spec.triggers as [Trigger];
    expect(asked.serverAddress).toBe('http://prometheus-server.monitoring.svc:80');
    expect(asked.query).toContain(`namespace="${metadata.namespace}"`);
  });

  it('has its own host name and gateway', () => {
    const { hostnames, parentRefs } = only(objects, 'HTTPRoute').spec;
    expect({ hostnames, parentRefs }).toEqual({
      hostnames: ['sounds.example.org'],
      parentRefs: [{ name: 'public', namespace: 'istio-ingress' }],
    });
  });
});
