import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { overlays, parseObjects, renderOverlay } from '../support/kubernetes';
import { describeWithPrograms } from '../support/programs';

/** The oldest version that has every field used here (preStop's own `sleep`), and the newest. */
const kubernetesVersions = ['1.30', '1.37'] as const;

/** No resource of Kubernetes itself, so that its schema is not at hand: the fields used here, and no others. */
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

/** KEDA's, likewise; what its pods are made from is a Job's, and is held against Kubernetes' schema as one. */
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

const foreign: Readonly<Record<string, z.ZodType>> = {
  ServiceMonitor: serviceMonitor,
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
  ['a missing field', 'pathType: Prefix', ''],
  ['an unknown version', 'autoscaling/v2', 'autoscaling/v2beta2'],
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

describeWithPrograms(['kubectl', 'kustomize'], ['kubernetes-validate'])('the manifests', () => {
  const texts = new Map(overlays.map((overlay) => [overlay, withScaledJobs(renderOverlay(overlay))]));
  const broken = breaks.map(
    ([name, right, wrong]) => [name, texts.get('cpu')!.replace(right, wrong)] as const,
  );
  const [oldest, newest] = kubernetesVersions;
  const passed = new Map([
    [oldest, validate(texts, oldest)],
    [newest, validate(new Map([...texts, ...broken]), newest)],
  ]);

  /** The objects that have a schema there. */
  const objectsOf = (overlay: string): string[] =>
    parseObjects(texts.get(overlay)!)
      .filter(({ kind }) => foreign[kind] === undefined)
      .map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);

  it.each(overlays.flatMap((overlay) => kubernetesVersions.map((version) => [overlay, version] as const)))(
    'of %s are valid in Kubernetes %s, each object of them',
    (overlay, version) => {
      expect(passed.get(version)!.get(overlay)).toEqual(objectsOf(overlay));
    },
  );

  it.each(breaks)('with %s would be refused', (name, right) => {
    expect(texts.get('cpu')).toContain(right);
    expect(passed.get(newest)!.get(name)).toHaveLength(objectsOf('cpu').length - 1);
  });

  it.each(overlays)(
    'of %s ask the operators of Prometheus and KEDA for nothing that they do not know',
    (overlay) => {
      const objects = parseObjects(texts.get(overlay)!).filter(({ kind }) => foreign[kind] !== undefined);
      expect(objects.length).toBeGreaterThan(0);
      for (const object of objects) expect(foreign[object.kind]!.safeParse(object).error).toBeUndefined();
    },
  );
});
