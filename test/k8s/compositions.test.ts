import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  components,
  find,
  only,
  overlays,
  parseObjects,
  podSpecs,
  projectFolder,
  readYaml,
  renderComposition,
  renderOverlay,
} from '../support/kubernetes';
import { patchedWith } from '../support/model-sources';
import { describeWith, program } from '../support/needs';

/**
 * Kubernetes' own, in every cluster since 1.25, the newest of the base's kinds (policy/v1 and Pod
 * Security included).
 */
const everywhere = [
  'apps/v1 Deployment',
  'networking.k8s.io/v1 NetworkPolicy',
  'policy/v1 PodDisruptionBudget',
  'v1 ConfigMap',
  'v1 Namespace',
  'v1 Service',
  'v1 ServiceAccount',
];

/** What a component cannot do without, before it. */
const needs: Readonly<Record<string, readonly string[]>> = {
  jobs: ['shared-models'],
  'gateway-affinity': ['gateway'],
};

describeWith(program('kubectl', 'kustomize'))('what overlays are composed of', () => {
  it('is, in the base and in the overlay cpu, what every cluster has, and no volume that somebody must provide', () => {
    for (const text of [renderOverlay('cpu'), renderComposition({ components: [] })]) {
      const objects = parseObjects(text);
      const kinds = objects.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`);
      expect([...new Set(kinds)].sort()).toEqual(everywhere);
      const [, pod] = podSpecs(objects)[0]!;
      expect(pod.volumes.map((volume) => Object.keys(volume).sort())).toEqual([['emptyDir', 'name']]);
      expect(pod.initContainers).toBeUndefined();
    }
  });

  it('is told apart by component: each is used by an overlay, or works beside the base', () => {
    const used = overlays.flatMap((name) => {
      const { components: own = [] } = readYaml(`k8s/overlays/${name}/kustomization.yaml`) as {
        components?: string[];
      };
      return own.map((path) => path.split('/').at(-1)!);
    });
    for (const name of components.filter((component) => !used.includes(component))) {
      const text = renderComposition({ components: [...(needs[name] ?? []), name] });
      expect(text).not.toBe(renderComposition({ components: needs[name] ?? [] }));
    }
  });

  it('is a table in the documentation', () => {
    const text = readFileSync(join(projectFolder, 'docs/deployment.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `([\w-]+)` /gm)].map(([, name]) => name!);
    expect(rows.sort()).toEqual(components);
  });

  it('has a cookie for browsers only where it is asked for: the standard channel refuses the field', () => {
    const rules = (names: string[]): { sessionPersistence?: object }[] => {
      const route = only(parseObjects(renderComposition({ components: names })), 'HTTPRoute');
      return route.spec.rules as { sessionPersistence?: object }[];
    };
    expect(rules(['gateway'])[0]!.sessionPersistence).toBeUndefined();
    expect(rules(['gateway', 'gateway-affinity'])[0]!.sessionPersistence).toMatchObject({ type: 'Cookie' });
  });

  it('lets Prometheus and gateways in where they are, and nobody else', () => {
    const callers = (names: string[]): string[] =>
      parseObjects(renderComposition({ components: names }))
        .filter(({ kind }) => kind === 'NetworkPolicy')
        .map(({ metadata }) => metadata.name);
    const base = ['classifier', 'default-deny'];
    expect(callers([])).toEqual(base);
    expect(callers(['monitoring']).sort()).toEqual([...base, 'classifier-monitoring'].sort());
    expect(callers(['gateway']).sort()).toEqual([...base, 'classifier-gateway'].sort());
  });

  it('gives trainers cards as it gives them to pods', () => {
    for (const [name, resource] of [
      ['gpu', 'nvidia.com/gpu'],
      ['gpu-shared', 'nvidia.com/gpu.shared'],
    ] as const) {
      const objects = parseObjects(renderComposition({ components: ['shared-models', 'jobs', name] }));
      const pods = podSpecs(objects).filter(([owner]) => !owner.endsWith('redis'));
      expect(pods).toHaveLength(2);
      for (const [, pod] of pods) {
        expect(pod.containers[0]!.resources.limits).toMatchObject({ [resource]: 1 });
        expect(pod.nodeSelector).toEqual({ 'nvidia.com/gpu.present': 'true' });
      }
    }
  });

  it('takes a MIG slice by its name', () => {
    const [, pod] = podSpecs(parseObjects(patchedWith('MIG', ['gpu-shared'])))[0]!;
    const cards = Object.keys(pod.containers[0]!.resources.limits).filter((name) =>
      name.startsWith('nvidia'),
    );
    expect(cards).toEqual(['nvidia.com/mig-1g.10gb']);
  });

  it('brings the alert rules and the dashboard as they are', () => {
    const objects = parseObjects(renderComposition({ components: ['monitoring'] }));
    expect(only(objects, 'PrometheusRule').spec).toEqual(readYaml('k8s/monitoring/alerts.yaml'));
    const dashboard = find(objects, 'ConfigMap', 'dashboard')!;
    expect(dashboard.metadata.labels).toEqual({ grafana_dashboard: '1' });
    const file = readFileSync(join(projectFolder, 'k8s/monitoring/dashboard.json'), 'utf8');
    expect(JSON.parse(dashboard.data!['earshot.json']!)).toEqual(JSON.parse(file));
    // What `kubectl apply` notes on an object has 256 KiB at most.
    expect(JSON.stringify(dashboard).length).toBeLessThan(200_000);
  });
});
