import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { version } from '../../package.json';

export const projectFolder = join(__dirname, '../../..');
const manifestsFolder = join(projectFolder, 'k8s');
export const overlays = readdirSync(join(manifestsFolder, 'overlays')).sort();
export const components = readdirSync(join(manifestsFolder, 'components')).sort();

export type Labels = Readonly<Record<string, string>>;

interface Probe {
  httpGet: { path: string; port: string | number };
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold: number;
}

export interface SecurityContext {
  privileged?: boolean;
  allowPrivilegeEscalation?: boolean;
  readOnlyRootFilesystem?: boolean;
  runAsNonRoot?: boolean;
  runAsUser?: number;
  capabilities?: { drop?: string[]; add?: string[] };
  seccompProfile?: { type: string };
  procMount?: string;
  seLinuxOptions?: { type?: string; user?: string; role?: string };
  appArmorProfile?: { type: string };
  windowsOptions?: { hostProcess?: boolean };
  sysctls?: { name: string }[];
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[];
  envFrom?: { configMapRef: { name: string } }[];
  ports?: { name: string; containerPort: number; hostPort?: number }[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  resources: { requests: Record<string, string | number>; limits: Record<string, string | number> };
  securityContext?: SecurityContext;
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean; subPath?: string }[];
}

export interface Volume {
  name: string;
  persistentVolumeClaim?: { claimName: string };
  emptyDir?: { sizeLimit: string };
  image?: { reference: string };
  hostPath?: { path: string };
}

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  terminationGracePeriodSeconds: number;
  securityContext?: SecurityContext;
  nodeSelector?: Labels;
  tolerations?: { key: string }[];
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  initContainers?: Container[];
  containers: Container[];
  volumes: Volume[];
}

/**
 * What a test reads of an object: its schema is checked by another program, so that its shape may be
 * trusted here.
 */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has another shape; see above
  spec: any;
  data?: Record<string, string>;
  automountServiceAccountToken?: boolean;
}

/** An overlay's objects as `kubectl apply -k` would send them, as YAML text. */
export function renderOverlay(name: string): string {
  return render(join(manifestsFolder, 'overlays', name));
}

export interface Composition {
  /** Of k8s/components, in the order in which they are applied. */
  readonly components: readonly string[];
  /** Which image serves. */
  readonly image?: 'cpu' | 'cuda';
  /** What else the kustomization says, its patches for instance. */
  readonly more?: object;
}

const registryName = 'registry.example.com/earshot';
/** What trains beside an image that serves. */
const trainingImages = { cpu: 'trainer', cuda: 'cuda' } as const;

/**
 * The objects of an overlay that this project does not bring: the base with these components, as YAML
 * text.
 */
export function renderComposition({ components, image = 'cpu', more = {} }: Composition): string {
  return renderKustomization({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: 'earshot',
    resources: ['../../base'],
    components: components.map((name) => `../../components/${name}`),
    images: [
      { name: 'earshot', newName: registryName, newTag: `${version}-${image}` },
      { name: 'earshot-trainer', newName: registryName, newTag: `${version}-${trainingImages[image]}` },
    ],
    ...more,
  });
}

/** The objects of a kustomization in a folder beside the overlays, as YAML text. */
export function renderKustomization(kustomization: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-test-'));
  try {
    cpSync(manifestsFolder, folder, { recursive: true });
    const overlay = join(folder, 'overlays', 'test');
    mkdirSync(overlay);
    writeFileSync(join(overlay, 'kustomization.yaml'), stringify(kustomization));
    return render(overlay);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function render(folder: string): string {
  for (const [program, args] of [
    ['kubectl', ['kustomize', folder]],
    ['kustomize', ['build', folder]],
  ] as const) {
    const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    if (error !== undefined) continue;
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
    return stdout;
  }
  throw new Error('kubectl or kustomize is needed');
}

/** The one YAML example of docs/deployment.md that begins with the comment `# Title: …`. */
export function documentedYaml(title: string): unknown {
  const text = readFileSync(join(projectFolder, 'docs/deployment.md'), 'utf8');
  const blocks = [...text.matchAll(/```yaml\n([^]*?)```/g)].map(([, block]) => block!);
  const found = blocks.filter((block) => block.startsWith(`# ${title}:`));
  if (found.length !== 1) throw new Error(`${found.length} examples with the title ${title}`);
  return parse(found[0]!, { merge: true });
}

export function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

export function readYaml(path: string): unknown {
  return parse(readFileSync(join(projectFolder, path), 'utf8'), { merge: true });
}

/** That object, where there is one. */
export function find(
  objects: readonly KubernetesObject[],
  kind: string,
  name?: string,
): KubernetesObject | undefined {
  return objects.find((o) => o.kind === kind && (name === undefined || o.metadata.name === name));
}

/** The one object of that kind, and of that name where a name is given. */
export function only(objects: readonly KubernetesObject[], kind: string, name?: string): KubernetesObject {
  const found = objects.filter((o) => o.kind === kind && (name === undefined || o.metadata.name === name));
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}, ${name ?? 'any name'}`);
  return found[0]!;
}

/** The pods that an overlay makes, by the name of what makes them. */
export function podSpecs(objects: readonly KubernetesObject[]): (readonly [string, PodSpec])[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    const { template, jobTargetRef } = (spec ?? {}) as {
      template?: PodTemplate;
      jobTargetRef?: { template: PodTemplate };
    };
    const pod = (template ?? jobTargetRef?.template)?.spec;
    return pod === undefined ? [] : [[`${kind} ${metadata.name}`, pod] as const];
  });
}

interface PodTemplate {
  readonly spec: PodSpec;
}

/**
 * 250m, 2, 5Gi, 26m of nginx (which means mebibytes) are not alike: only Kubernetes' quantities, as a
 * number.
 */
export function quantity(text: string | number): number {
  const [, digits, suffix = ''] = /^([\d.]+)(m|Ki|Mi|Gi)?$/.exec(String(text))!;
  const factors: Readonly<Record<string, number>> = { m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
  return Number(digits) * (factors[suffix] ?? 1);
}
