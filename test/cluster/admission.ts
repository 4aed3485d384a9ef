import { stringify } from 'yaml';
import { parseObjects, podSpecs, type KubernetesObject, type Volume } from '../support/kubernetes';
import type { ApiServer, Kubectl } from './api-server';

/** What is wrong with the server's answer; undefined where all was admitted without a warning. */
export type Objection = string | undefined;

/** Applies objects as `kubectl apply` does, each field validated by the server. */
export function apply(server: ApiServer, objects: readonly KubernetesObject[]): Objection {
  const text = objects.map((object) => stringify(object)).join('---\n');
  return objectionOf(server.kubectl(['apply', '--validate=strict', '-f', '-'], text));
}

/** A warning counts: with `restricted` the server warns of what makes pods that it would refuse. */
export function objectionOf({ status, words }: Kubectl): Objection {
  return status === 0 && !/^Warning:/m.test(words) ? undefined : words.trim();
}

/**
 * Applies a composition in a namespace of its own, and asks the server whether it would take the pods
 * and jobs that controllers would make of it.
 */
export function admit(server: ApiServer, text: string, namespace: string): Objection {
  const objects = parseObjects(text).map((object) => inNamespace(object, namespace));
  const applied = apply(server, objects);
  if (applied !== undefined) return applied;
  // A controller makes it in a cluster, in every namespace.
  server.kubectl(['-n', namespace, 'create', 'serviceaccount', 'default']);
  for (const made of [...podsOf(objects), ...jobsOf(objects)]) {
    const args = ['-n', namespace, 'create', '--dry-run=server', '--validate=strict', '-f', '-'];
    const objection = objectionOf(server.kubectl(args, stringify(made)));
    if (objection !== undefined) return `${made.kind} ${made.metadata.generateName}: ${objection}`;
  }
  return undefined;
}

function inNamespace(object: KubernetesObject, namespace: string): KubernetesObject {
  const { kind, metadata } = object;
  const own = kind === 'Namespace' ? { name: namespace } : { namespace };
  return { ...object, metadata: { ...metadata, ...own } };
}

interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly generateName: string };
  readonly spec: object;
}

function podsOf(objects: readonly KubernetesObject[]): Made[] {
  return podSpecs(objects).map(([owner, spec]) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: `${owner.toLowerCase().replace(' ', '-')}-` },
    spec: { ...spec, volumes: [...spec.volumes, ...claimedVolumes(objects, owner)] },
  }));
}

/** The volumes that a controller adds to the pods of a StatefulSet. */
function claimedVolumes(objects: readonly KubernetesObject[], owner: string): Volume[] {
  const set = objects.find(({ kind, metadata }) => `${kind} ${metadata.name}` === owner);
  const templates = (set?.spec.volumeClaimTemplates ?? []) as readonly KubernetesObject[];
  return templates.map(({ metadata: { name } }) => ({ name, persistentVolumeClaim: { claimName: name } }));
}

function jobsOf(objects: readonly KubernetesObject[]): Made[] {
  return objects
    .filter(({ kind }) => kind === 'ScaledJob')
    .map(({ metadata, spec }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { generateName: `${metadata.name}-` },
      spec: spec.jobTargetRef as object,
    }));
}
