import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

export const projectFolder = join(__dirname, '../../..');
const overlaysFolder = join(projectFolder, 'k8s/overlays');
export const overlays = readdirSync(overlaysFolder).sort();

export type Labels = Readonly<Record<string, string>>;

export interface Probe {
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
}

export interface PodSpec {
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

/** What a test reads of an object: its schema is checked by another program, so that its shape may be trusted here. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels; annotations?: Labels };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each kind has another shape; see above
  spec: any;
  data?: Record<string, string>;
}

/** An overlay's objects as `kubectl apply -k` would send them, as YAML text. */
export function renderOverlay(name: string): string {
  const folder = join(overlaysFolder, name);
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

export function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

export function readYaml(path: string): unknown {
  return parse(readFileSync(join(projectFolder, path), 'utf8'), { merge: true });
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

/** 250m, 2, 5Gi, 26m of nginx (which means mebibytes) are not alike: only Kubernetes' quantities, as a number. */
export function quantity(text: string | number): number {
  const [, digits, suffix = ''] = /^([\d.]+)(m|Ki|Mi|Gi)?$/.exec(String(text))!;
  const factors: Readonly<Record<string, number>> = { m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };
  return Number(digits) * (factors[suffix] ?? 1);
}
