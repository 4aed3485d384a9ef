import { environmentKeys, loadConfig, type Config } from '../../services/classifier/config';
import { routePaths } from '../../services/classifier/app';
import { defaultDecodedAudioBytes, longestSeconds } from '../../shared/decode/pool/bounded-decoder';
import { version } from '../../package.json';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  find,
  only,
  podSpecs,
  projectFolder,
  quantity,
  type KubernetesObject,
  type Labels,
  type PodSpec,
} from './kubernetes';

/**
 * What must hold between the objects of a deployment of the classifier, the image and the service's own
 * limits.
 */
export interface Deployed {
  readonly objects: readonly KubernetesObject[];
  readonly imageEnv: Readonly<Record<string, string>>;
}

interface NetworkPolicySpec {
  readonly podSelector: object;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly { readonly from?: readonly unknown[] }[];
  readonly egress?: readonly unknown[];
}

type Check = (deployed: Deployed) => string | false;

/** Seconds between the end of a full drain and the kill. */
const spareSeconds = 5;
/**
 * What the process takes beside uploads and decoded audio, about 0.3 GB (bench/README.md,
 * test/component/memory-limit.test.ts), and as much again for garbage and ffmpeg's processes.
 */
export const processBytes = 0.8e9;
/** The highest of all versions, since any may come to serve. */
const sampleRate = Math.max(...sampleRatesOfVersions());

function sampleRatesOfVersions(): number[] {
  const folder = join(projectFolder, 'models');
  // Encoders lie there too, which are no versions.
  const files = readdirSync(folder)
    .map((name) => join(folder, name, 'manifest.json'))
    .filter((file) => existsSync(file));
  return files.map((file) => {
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
      frontEnds: [{ sampleRate: number }];
    };
    return manifest.frontEnds[0].sampleRate;
  });
}

function podOf({ objects }: Deployed): PodSpec {
  return only(objects, 'Deployment').spec.template.spec as PodSpec;
}

function environmentOf(deployed: Deployed): Record<string, string> {
  const { name } = podOf(deployed).containers[0]!.envFrom![0]!.configMapRef;
  const own = podOf(deployed).containers[0]!.env ?? [];
  return {
    ...deployed.imageEnv,
    ...only(deployed.objects, 'ConfigMap', name).data,
    ...Object.fromEntries(own.flatMap(({ name: key, value }) => (value === undefined ? [] : [[key, value]]))),
  };
}

/**
 * Undefined where the service would refuse it: one check says so, the others have nothing to reckon
 * with.
 */
function configOf(deployed: Deployed): Config | undefined {
  const known = Object.entries(environmentOf(deployed)).filter(([key]) => environmentKeys.includes(key));
  try {
    return loadConfig(Object.fromEntries(known));
  } catch {
    return undefined;
  }
}

/** What decoded audio may take in a container with this memory limit. */
function decodedBytesOf(config: Config, limitBytes: number): number {
  return config.decodedAudioMaxBytes ?? defaultDecodedAudioBytes(limitBytes);
}

function isWithin(selector: Labels, labels: Labels = {}): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

type Facts = readonly (readonly [holds: boolean, what: string])[];

/** What refers to what in the base. */
function baseFacts(objects: readonly KubernetesObject[]): Facts {
  const deployment = only(objects, 'Deployment').spec;
  const labels = deployment.template.metadata.labels as Labels;
  const service = only(objects, 'Service');
  const port = (deployment.template.spec as PodSpec).containers[0]!.ports![0]!.name;
  const policies = objects.filter(
    ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name !== 'default-deny',
  );
  const claims = objects.filter((o) => o.kind === 'PersistentVolumeClaim').map((o) => o.metadata.name);
  return [
    [isWithin(deployment.selector.matchLabels as Labels, labels), 'Deployment'],
    [isWithin(service.spec.selector as Labels, labels), 'Service'],
    [service.spec.ports[0].targetPort === port, 'Service port'],
    [isWithin(only(objects, 'PodDisruptionBudget').spec.selector.matchLabels as Labels, labels), 'budget'],
    [policies.every((o) => isWithin(o.spec.podSelector.matchLabels as Labels, labels)), 'NetworkPolicy'],
    [policies.every((o) => o.spec.ingress[0].ports[0].port === port), 'NetworkPolicy port'],
    [
      podSpecs(objects).every(([, { volumes }]) =>
        volumes.every(({ persistentVolumeClaim: claim }) => !claim || claims.includes(claim.claimName)),
      ),
      'claim',
    ],
  ];
}

/** What the components' objects refer to, of those that are there. */
function componentFacts(objects: readonly KubernetesObject[]): Facts {
  const service = only(objects, 'Service');
  const { name: serviceName, labels: serviceLabels = {} } = service.metadata;
  const { name: portName, port } = service.spec.ports[0] as { name: string; port: number };
  const monitor = find(objects, 'ServiceMonitor')?.spec;
  const backend = find(objects, 'Ingress')?.spec.rules[0].http.paths[0].backend.service;
  const reference = find(objects, 'HTTPRoute')?.spec.rules[0].backendRefs[0];
  const scaled = find(objects, 'ScaledObject')?.spec.scaleTargetRef;
  return [
    ...(monitor === undefined
      ? []
      : ([
          [isWithin(monitor.selector.matchLabels as Labels, serviceLabels), 'ServiceMonitor'],
          [monitor.endpoints[0].port === portName, 'ServiceMonitor port'],
          [routePaths.includes(monitor.endpoints[0].path as string), 'ServiceMonitor path'],
          [serviceLabels[monitor.jobLabel as string] === 'earshot', 'job of the alert rules'],
        ] as Facts)),
    [backend === undefined || backend.name === serviceName, 'Ingress service'],
    [backend === undefined || backend.port.name === portName, 'Ingress port'],
    [reference === undefined || reference.name === serviceName, 'HTTPRoute service'],
    [reference === undefined || reference.port === port, 'HTTPRoute port'],
    [scaled === undefined || scaled.name === only(objects, 'Deployment').metadata.name, 'autoscaler'],
  ];
}

/**
 * Whether an Ingress gives up a stream within an hour, or takes no upload of the largest size, by any
 * controller's annotations.
 */
function cutsOff(annotations: Labels, config: Config | undefined): boolean {
  const seconds = Object.entries(annotations).filter(([key]) => key.includes('timeout'));
  const sizes = Object.entries(annotations).filter(([key]) => key.includes('body-size'));
  const short = seconds.filter(([, value]) => parseInt(value) < 3600);
  // A multipart body is a little larger than the recording in it.
  const small = sizes.filter(([, value]) => !(parseInt(value) * 2 ** 20 > (config?.maxUploadBytes ?? 0)));
  return seconds.length < 5 || sizes.length < 2 || short.length + small.length > 0;
}

/** A peer of a policy that names nobody: `{}`, or an empty selector. */
function isAnybody(peer: unknown): boolean {
  const selectors = Object.values(peer as Record<string, object>);
  return selectors.every((selector) => Object.keys(selector).length === 0);
}

/** One check a line of reasoning: its name says what is wrong when it does not hold. */
export const checks: Readonly<Record<string, Check>> = {
  'a variable that the service does not read': (deployed) => {
    const { name } = podOf(deployed).containers[0]!.envFrom![0]!.configMapRef;
    const keys = Object.keys(only(deployed.objects, 'ConfigMap', name).data!);
    return keys.filter((key) => !environmentKeys.includes(key)).join() || false;
  },
  'settings that the service refuses': (deployed) =>
    configOf(deployed) === undefined && JSON.stringify(environmentOf(deployed)),
  'killed before it has drained': (deployed) => {
    const { terminationGracePeriodSeconds: grace, containers } = podOf(deployed);
    const sleep = containers[0]!.lifecycle?.preStop.sleep.seconds ?? 0;
    const drain = (configOf(deployed)?.drainMs ?? 0) / 1000;
    return !(sleep >= 5 && grace >= sleep + drain + spareSeconds) && `${grace} < ${sleep} + ${drain}`;
  },
  'probes that ask the wrong thing': (deployed) => {
    const { startupProbe, readinessProbe, livenessProbe } = podOf(deployed).containers[0]!;
    const asked = [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet.path);
    return asked.join() !== '/readyz,/readyz,/healthz' && asked.join();
  },
  'probes without patience': (deployed) => {
    const { startupProbe, readinessProbe, livenessProbe } = podOf(deployed).containers[0]!;
    const patience = [startupProbe, readinessProbe, livenessProbe].map(
      (probe) => (probe?.periodSeconds ?? 0) * (probe?.failureThreshold ?? 0),
    );
    const [start, ready, live] = patience as [number, number, number];
    return !(start >= 60 && ready > 0 && ready <= 10 && live >= 30) && patience.join();
  },
  'a port that nobody listens on': (deployed) => {
    const { ports } = podOf(deployed).containers[0]!;
    return ports![0]!.containerPort !== Number(deployed.imageEnv['PORT']) && JSON.stringify(ports);
  },
  'a reference to nothing': ({ objects }) => {
    const wrong = [...baseFacts(objects), ...componentFacts(objects)]
      .filter(([holds]) => !holds)
      .map(([, what]) => what);
    return wrong.join() || false;
  },
  'a roll-out or a drained node that takes the service away': ({ objects }) => {
    const { strategy, replicas } = only(objects, 'Deployment').spec;
    const scaled = find(objects, 'ScaledObject')?.spec;
    const least = (scaled?.minReplicaCount ?? replicas) as number;
    const budget = only(objects, 'PodDisruptionBudget').spec.maxUnavailable as number;
    const holds = strategy.rollingUpdate.maxUnavailable === 0 && budget >= 1 && least - budget >= 1;
    return !holds && JSON.stringify({ strategy, least, budget });
  },
  'replicas that fight the autoscaler': ({ objects }) =>
    find(objects, 'ScaledObject') !== undefined &&
    only(objects, 'Deployment').spec.replicas !== undefined &&
    'replicas',
  'less memory than the settings let callers take': (deployed) => {
    const config = configOf(deployed);
    if (config === undefined) return false;
    const { limits, requests } = podOf(deployed).containers[0]!.resources;
    const [limit, request] = [quantity(limits['memory']!), quantity(requests['memory']!)];
    const withoutDecoded = processBytes + config.maxConcurrentRequests * config.maxUploadBytes;
    const needed = withoutDecoded + decodedBytesOf(config, limit);
    if (request < withoutDecoded) return `request: ${request} < ${withoutDecoded}`;
    return limit < needed && `limit: ${limit} < ${needed}`;
  },
  'less memory than the longest recording takes': (deployed) => {
    const config = configOf(deployed);
    if (config === undefined) return false;
    const limit = quantity(podOf(deployed).containers[0]!.resources.limits['memory']!);
    const seconds = longestSeconds(decodedBytesOf(config, limit), sampleRate);
    return seconds < config.maxClipSeconds && `${seconds} s < ${config.maxClipSeconds} s`;
  },
  'less scratch space than the decoding threads may fill': (deployed) => {
    const config = configOf(deployed);
    if (config === undefined) return false;
    const scratch = podOf(deployed).volumes.find(({ emptyDir }) => emptyDir !== undefined);
    const limit = quantity(scratch?.emptyDir?.sizeLimit ?? 0);
    const needed = (config.decodeThreads ?? 4) * config.maxUploadBytes;
    return limit < needed && `${limit} < ${needed}`;
  },
  'scratch volumes beyond the limit of the pod': ({ objects }) => {
    const over = podSpecs(objects).filter(([, { containers, volumes }]) => {
      const sizes = volumes.map(({ emptyDir }) => quantity(emptyDir?.sizeLimit ?? 0));
      const limit = quantity(containers[0]!.resources.limits['ephemeral-storage']!);
      return sizes.reduce((sum, size) => sum + size, 0) >= limit;
    });
    return over.length > 0 && over.map(([owner]) => owner).join();
  },
  'other threads than cores': (deployed) => {
    const { cpu } = podOf(deployed).containers[0]!.resources.limits;
    const threads = environmentOf(deployed)['ENGINE_THREADS'];
    return Number(cpu) !== Number(threads) && `${cpu} cores, ${threads} threads`;
  },
  'models that a server could change, or only one node could read': (deployed) => {
    const folder = environmentOf(deployed)['MODELS_DIR'];
    const { containers, volumes } = podOf(deployed);
    const mount = containers[0]!.volumeMounts.find(({ mountPath }) => mountPath === folder);
    // Without a volume they are the image's, on a root file system that nobody can write to.
    if (mount === undefined) return folder !== deployed.imageEnv['MODELS_DIR'] && `no volume at ${folder}`;
    const claim = volumes.find(({ name }) => name === mount.name)?.persistentVolumeClaim;
    const accessModes =
      claim && find(deployed.objects, 'PersistentVolumeClaim', claim.claimName)?.spec.accessModes;
    const isShared = claim === undefined || accessModes?.[0] === 'ReadWriteMany';
    return !(mount.readOnly === true && isShared) && JSON.stringify({ mount, accessModes });
  },
  'a proxy that cuts streams or uploads off': (deployed) => {
    const [ingress, route] = [find(deployed.objects, 'Ingress'), find(deployed.objects, 'HTTPRoute')];
    const wrong = [
      ingress !== undefined &&
        cutsOff(ingress.metadata.annotations ?? {}, configOf(deployed)) &&
        'annotations',
      route !== undefined && route.spec.rules[0].timeouts?.request !== '0s' && 'timeouts',
    ];
    return wrong.filter((what) => what !== false).join() || false;
  },
  'metrics that anybody may read': ({ objects }) => {
    const route = find(objects, 'HTTPRoute');
    if (route === undefined) return false;
    const rules = route.spec.rules as { matches: { path: object }[]; backendRefs?: object[] }[];
    const closed = rules.find(({ matches }) =>
      matches.some(({ path }) => JSON.stringify(path) === '{"type":"Exact","value":"/metrics"}'),
    );
    return (closed === undefined || closed.backendRefs !== undefined) && JSON.stringify(rules);
  },
  'an open network': ({ objects }) => {
    const policies = objects
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map((o) => o.spec as NetworkPolicySpec);
    const closed = policies.some(
      ({ podSelector, policyTypes, ingress, egress }) =>
        Object.keys(podSelector).length === 0 &&
        policyTypes.join() === 'Ingress,Egress' &&
        ingress === undefined &&
        egress === undefined,
    );
    // Nobody is asked by the classifier, and only somebody named may ask it.
    const open = policies.filter(
      ({ egress, ingress = [] }) =>
        egress !== undefined || ingress.some(({ from = [] }) => from.length === 0 || from.some(isAnybody)),
    );
    return (!closed || open.length > 0) && JSON.stringify(policies);
  },
  'a namespace that does not enforce the restricted profile': ({ objects }) => {
    const { metadata } = only(objects, 'Namespace');
    const strays = objects.filter((o) => o.kind !== 'Namespace' && o.metadata.namespace !== metadata.name);
    const level = metadata.labels?.['pod-security.kubernetes.io/enforce'];
    return (level !== 'restricted' || strays.length > 0) && `${level}, ${strays.length} strays`;
  },
  'an identity that the API server knows more of than its name': ({ objects }) => {
    const account = only(objects, 'ServiceAccount', podOf({ objects, imageEnv: {} }).serviceAccountName);
    return account.automountServiceAccountToken !== false && 'a token';
  },
  'an engine that is not the image’s': (deployed) => {
    const pod = podOf(deployed);
    const images = new Set([...(pod.initContainers ?? []), ...pod.containers].map(({ image }) => image));
    const cards = Object.entries(pod.containers[0]!.resources.limits).filter(([name]) =>
      name.startsWith('nvidia.com/'),
    );
    const gpus = cards.length === 0 ? undefined : cards.length === 1 && cards[0]![1];
    const cuda = [...images].every((image) => image.endsWith(`:${version}-cuda`));
    const cpu = [...images].every((image) => image.endsWith(`:${version}-cpu`));
    const placed = pod.nodeSelector !== undefined && pod.tolerations?.[0]?.key === 'nvidia.com/gpu';
    const holds = gpus === undefined ? cpu && !placed : gpus === 1 && cuda && placed;
    return !holds && `${[...images].join()}, ${JSON.stringify(cards)}`;
  },
};

/** The checks that do not hold, each with what it found. */
export function problemsOf(deployed: Deployed): string[] {
  return Object.entries(checks).flatMap(([name, check]) => {
    const found = check(deployed);
    return found === false ? [] : [`${name}: ${found}`];
  });
}
