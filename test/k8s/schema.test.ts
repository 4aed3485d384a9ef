import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import {
  documentedYaml,
  overlays,
  parseObjects,
  renderComposition,
  renderKustomization,
  renderOverlay,
} from '../support/kubernetes';
import { modelSources, patchedWith } from '../support/model-sources';
import { describeWith, program } from '../support/needs';

/** The oldest version that has every field used here (preStop's own `sleep`), and the newest. */
const kubernetesVersions = ['1.30', '1.37'] as const;

/**
 * No resource of Kubernetes itself, so that its schema is not at hand: the fields used here, and no
 * others.
 */
const serviceMonitor = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('ServiceMonitor'),
  metadata: z.strictObject({
    name: z.string(),
    namespace: z.string(),
    labels: z.record(z.string(), z.string()),
  }),
  spec: z.strictObject({
    jobLabel: z.string(),
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    endpoints: z.array(
      z.strictObject({
        port: z.string(),
        path: z.string(),
        interval: z.templateLiteral([z.int(), 's']),
        scrapeTimeout: z.templateLiteral([z.int(), 's']),
      }),
    ),
  }),
});

/**
 * KEDA's, likewise; what its pods are made from is a Job's, and is held against Kubernetes' schema as
 * one.
 */
const scaledJob = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledJob'),
  metadata: serviceMonitor.shape.metadata,
  spec: z.strictObject({
    pollingInterval: z.int().positive(),
    minReplicaCount: z.int().min(0),
    maxReplicaCount: z.int().positive(),
    successfulJobsHistoryLimit: z.int(),
    failedJobsHistoryLimit: z.int(),
    scalingStrategy: z.strictObject({ strategy: z.enum(['default', 'custom', 'accurate', 'eager']) }),
    triggers: z.array(
      z.strictObject({
        type: z.literal('redis'),
        // All of them texts, numbers too.
        metadata: z.strictObject({
          address: z.string().regex(/^[\w.-]+:\d+$/),
          listName: z.string(),
          listLength: z.string().regex(/^\d+$/),
          activationListLength: z.string().regex(/^\d+$/),
        }),
        authenticationRef: z.strictObject({ name: z.string() }),
      }),
    ),
    jobTargetRef: z.looseObject({ template: z.looseObject({}) }),
  }),
});

const triggerAuthentication = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('TriggerAuthentication'),
  metadata: z.strictObject({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    secretTargetRef: z.array(z.strictObject({ parameter: z.string(), name: z.string(), key: z.string() })),
  }),
});

const scalingPolicies = z.array(
  z.strictObject({
    type: z.enum(['Percent', 'Pods']),
    value: z.int().positive(),
    periodSeconds: z.int().positive(),
  }),
);

/** KEDA's; all of a trigger's metadata are texts. */
const scaledObject = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledObject'),
  metadata: serviceMonitor.shape.metadata,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({ name: z.string() }),
    pollingInterval: z.int().positive(),
    minReplicaCount: z.int().positive(),
    maxReplicaCount: z.int().positive(),
    triggers: z.array(
      z.strictObject({
        type: z.literal('prometheus'),
        metricType: z.enum(['AverageValue', 'Value']),
        metadata: z.strictObject({
          serverAddress: z.url(),
          query: z.string(),
          threshold: z.string().regex(/^[\d.]+$/),
          ignoreNullValues: z.enum(['true', 'false']),
        }),
      }),
    ),
    advanced: z.strictObject({
      horizontalPodAutoscalerConfig: z.strictObject({
        behavior: z.strictObject({
          scaleUp: z.strictObject({
            stabilizationWindowSeconds: z.int().min(0),
            selectPolicy: z.enum(['Max', 'Min', 'Disabled']),
            policies: scalingPolicies,
          }),
          scaleDown: z.strictObject({
            stabilizationWindowSeconds: z.int().min(0),
            policies: scalingPolicies,
          }),
        }),
      }),
    }),
  }),
});

/** The Prometheus operator's; promtool checks what the rules say (test/monitoring). */
const prometheusRule = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PrometheusRule'),
  metadata: serviceMonitor.shape.metadata,
  spec: z.strictObject({
    groups: z.array(
      z.strictObject({
        name: z.string(),
        rules: z.array(
          z.strictObject({
            alert: z.string(),
            expr: z.string(),
            for: z
              .string()
              .regex(/^\d+[smh]$/)
              .optional(),
            labels: z.record(z.string(), z.string()),
            annotations: z.record(z.string(), z.string()),
          }),
        ),
      }),
    ),
  }),
});

/** The Gateway API's; `sessionPersistence` in its experimental channel alone. */
const httpRoute = z.strictObject({
  apiVersion: z.literal('gateway.networking.k8s.io/v1'),
  kind: z.literal('HTTPRoute'),
  metadata: z.strictObject({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    parentRefs: z.array(z.strictObject({ name: z.string(), namespace: z.string() })),
    hostnames: z.array(z.hostname()),
    rules: z.array(
      z.strictObject({
        matches: z.array(
          z.strictObject({
            path: z.strictObject({
              type: z.enum(['PathPrefix', 'Exact']),
              value: z.string().startsWith('/'),
            }),
          }),
        ),
        timeouts: z.strictObject({ request: z.templateLiteral([z.int(), 's']) }).optional(),
        backendRefs: z.array(z.strictObject({ name: z.string(), port: z.int() })).optional(),
        sessionPersistence: z
          .strictObject({
            sessionName: z.string(),
            type: z.enum(['Cookie', 'Header']),
            cookieConfig: z.strictObject({ lifetimeType: z.enum(['Session', 'Permanent']) }),
          })
          .optional(),
      }),
    ),
  }),
});

const foreign: Readonly<Record<string, z.ZodType>> = {
  ServiceMonitor: serviceMonitor,
  PrometheusRule: prometheusRule,
  HTTPRoute: httpRoute,
  ScaledObject: scaledObject,
  ScaledJob: scaledJob,
  TriggerAuthentication: triggerAuthentication,
};

/** With a Job behind it for each that KEDA would make. */
function withScaledJobs(text: string): string {
  const jobs = parseObjects(text)
    .filter(({ kind }) => kind === 'ScaledJob')
    .map(({ metadata, spec }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata,
      spec: (spec as { jobTargetRef: object }).jobTargetRef,
    }));
  return [text, ...jobs.map((job) => stringify(job))].join('---\n');
}

/** Each breaks a manifest in one place, and one object must be refused for it. */
const breaks = [
  ['an unknown field', 'maxUnavailable: 0', 'maxUnavailabel: 0'],
  ['a wrong type', 'containerPort: 8080', 'containerPort: http'],
  ['a missing field', 'containerPort: 6379', 'protocol: TCP'],
  ['an unknown version', 'policy/v1', 'policy/v1beta2'],
] as const;

/** Kubernetes' own schemas, unknown fields refused: the objects that pass, by text, as `kind/name`. */
function validate(texts: ReadonlyMap<string, string>, version: string): Map<string, string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  try {
    const files = [...texts].map(([name, text], i) => {
      const file = join(folder, `${i}.yaml`);
      writeFileSync(file, text);
      return [name, file] as const;
    });
    const args = ['--strict', '--kubernetes-version', version, ...files.map(([, file]) => file)];
    const { error, stdout, stderr } = spawnSync('kubernetes-validate', args, { encoding: 'utf8' });
    // Not there: these tests are skipped, but their titles are made all the same.
    if (error !== undefined) return new Map();
    const passes = [...(stdout + stderr).matchAll(/(\S+) passed for resource (\S+)/g)];
    return new Map(
      files.map(([name, file]) => [name, passes.filter((m) => m[1] === file).map((m) => m[2]!)] as const),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * What is not one of the overlays: every other component, and what docs/deployment.md shows, by name.
 */
function otherTexts(): (readonly [string, string])[] {
  const everything = ['shared-models', 'monitoring', 'autoscaling', 'gateway', 'gateway-affinity', 'jobs'];
  return [
    ['every component', renderComposition({ components: everything })],
    ['gpu-shared', renderComposition({ components: [...everything, 'gpu-shared'], image: 'cuda' })],
    ['MIG', patchedWith('MIG', ['gpu-shared'])],
    ['the documented overlay', renderKustomization(documentedYaml('Overlay') as object)],
    [
      'the documented Ingress and policy',
      [documentedYaml('Ingress'), documentedYaml('Reach')].map((object) => stringify(object)).join('---\n'),
    ],
    ...modelSources.map((title) => [title, patchedWith(title)] as const),
  ];
}

describeWith(program('kubectl', 'kustomize'), program('kubernetes-validate'))('the manifests', () => {
  const texts = new Map(
    [...overlays.map((overlay) => [overlay, renderOverlay(overlay)] as const), ...otherTexts()].map(
      ([name, text]) => [name, withScaledJobs(text)] as const,
    ),
  );
  const names = [...texts.keys()];
  const whole = texts.get('cpu-jobs')!;
  const broken = breaks.map(([name, right, wrong]) => [name, whole.replace(right, wrong)] as const);
  const [oldest, newest] = kubernetesVersions;
  // Volumes of images came with 1.31.
  const old = new Map([...texts].filter(([name]) => name !== 'Image volume'));
  const passed = new Map([
    [oldest, validate(old, oldest)],
    [newest, validate(new Map([...texts, ...broken]), newest)],
  ]);

  /** The objects that have a schema there. */
  const objectsOf = (name: string): string[] =>
    parseObjects(texts.get(name)!)
      .filter(({ kind }) => foreign[kind] === undefined)
      .map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);

  it.each([
    ...[...old.keys()].map((name) => [name, oldest] as const),
    ...names.map((name) => [name, newest] as const),
  ])('of %s are valid in Kubernetes %s, each object of them', (name, version) => {
    expect(objectsOf(name).length).toBeGreaterThan(0);
    expect(passed.get(version)!.get(name)).toEqual(objectsOf(name));
  });

  it.each(breaks)('with %s would be refused', (name, right) => {
    expect(whole).toContain(right);
    expect(passed.get(newest)!.get(name)).toHaveLength(objectsOf('cpu-jobs').length - 1);
  });

  it('ask the operators of Prometheus and KEDA, and gateways, for nothing that they do not know', () => {
    const objects = [...texts.values()]
      .flatMap(parseObjects)
      .filter(({ kind }) => foreign[kind] !== undefined);
    expect([...new Set(objects.map(({ kind }) => kind))].sort()).toEqual(Object.keys(foreign).sort());
    for (const object of objects) expect(foreign[object.kind]!.safeParse(object).error).toBeUndefined();
  });
});
