import { environmentKeys, loadConfig, type Config } from '../../services/classifier/config';
import { routePaths } from '../../services/classifier/app';
import { version } from '../../package.json';
import { only, podSpecs, quantity, type KubernetesObject, type Labels, type PodSpec } from './kubernetes';

/** What must hold between the objects of a deployment of the classifier, the image and the service's own limits. */
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
/** Resident memory without uploads (bench/README.md), and what is kept free beside them. */
const idleBytes = 1.6e9;
/** Decoded recordings are Float32 at the models' rate. */
const decodedBytesPerSecond = 16_000 * 4;

function podOf({ objects }: Deployed): PodSpec {
  return only(objects, 'Deployment').spec.template.spec as PodSpec;
}

function environmentOf(deployed: Deployed): Record<string, string> {
  const { name } = podOf(deployed).containers[0]!.envFrom![0]!.configMapRef;
  return { ...deployed.imageEnv, ...only(deployed.objects, 'ConfigMap', name).data };
}

/** Undefined where the service would refuse it: one check says so, the others have nothing to reckon with. */
function configOf(deployed: Deployed): Config | undefined {
  const known = Object.entries(environmentOf(deployed)).filter(([key]) => environmentKeys.includes(key));
  try {
    return loadConfig(Object.fromEntries(known));
  } catch {
    return undefined;
  }
}

function isWithin(selector: Labels, labels: Labels = {}): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
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
    const labels = only(objects, 'Deployment').spec.template.metadata.labels as Labels;
    const service = only(objects, 'Service');
    const monitor = only(objects, 'ServiceMonitor').spec;
    const backend = only(objects, 'Ingress').spec.rules[0].http.paths[0].backend.service;
    const port = (only(objects, 'Deployment').spec.template.spec as PodSpec).containers[0]!.ports![0]!.name;
    const target = only(objects, 'HorizontalPodAutoscaler').spec.scaleTargetRef;
    const policy = only(objects, 'NetworkPolicy', 'classifier').spec;
    const claims = objects.filter((o) => o.kind === 'PersistentVolumeClaim').map((o) => o.metadata.name);
    const facts: readonly (readonly [boolean, string])[] = [
      [isWithin(only(objects, 'Deployment').spec.selector.matchLabels as Labels, labels), 'Deployment'],
      [isWithin(service.spec.selector as Labels, labels), 'Service'],
      [service.spec.ports[0].targetPort === port, 'Service port'],
      [isWithin(monitor.selector.matchLabels as Labels, service.metadata.labels), 'ServiceMonitor'],
      [monitor.endpoints[0].port === service.spec.ports[0].name, 'ServiceMonitor port'],
      [routePaths.includes(monitor.endpoints[0].path as string), 'ServiceMonitor path'],
      [service.metadata.labels?.[monitor.jobLabel as string] === 'earshot', 'job of the alert rules'],
      [backend.name === service.metadata.name, 'Ingress service'],
      [backend.port.name === service.spec.ports[0].name, 'Ingress port'],
      [isWithin(only(objects, 'PodDisruptionBudget').spec.selector.matchLabels as Labels, labels), 'budget'],
      [
        target.kind === 'Deployment' && target.name === only(objects, 'Deployment').metadata.name,
        'autoscaler',
      ],
      [isWithin(policy.podSelector.matchLabels as Labels, labels), 'NetworkPolicy'],
      [policy.ingress[0].ports[0].port === port, 'NetworkPolicy port'],
      [
        podSpecs(objects).every(([, { volumes }]) =>
          volumes.every(({ persistentVolumeClaim: claim }) => !claim || claims.includes(claim.claimName)),
        ),
        'claim',
      ],
    ];
    const wrong = facts.filter(([holds]) => !holds).map(([, what]) => what);
    return wrong.join() || false;
  },
  'a roll-out or a drained node that takes the service away': ({ objects }) => {
    const { rollingUpdate } = only(objects, 'Deployment').spec.strategy;
    const { minReplicas } = only(objects, 'HorizontalPodAutoscaler').spec;
    const budget = only(objects, 'PodDisruptionBudget').spec.maxUnavailable as number;
    const holds = rollingUpdate.maxUnavailable === 0 && budget >= 1 && minReplicas - budget >= 1;
    return !holds && JSON.stringify({ rollingUpdate, minReplicas, budget });
  },
  'replicas that fight the autoscaler': ({ objects }) =>
    only(objects, 'Deployment').spec.replicas !== undefined && 'replicas',
  'less memory than the settings let callers take': (deployed) => {
    const config = configOf(deployed);
    if (config === undefined) return false;
    // A decoded recording is held once whole, and once as the windows that wait for the engine.
    const perRequest = config.maxUploadBytes + 2 * config.maxClipSeconds * decodedBytesPerSecond;
    const needed = idleBytes + config.maxConcurrentRequests * perRequest;
    const limit = quantity(podOf(deployed).containers[0]!.resources.limits['memory']!);
    return limit < needed && `${limit} < ${needed}`;
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
    const mount = podOf(deployed).containers[0]!.volumeMounts.find(({ name }) => name === 'models');
    const { accessModes } = only(deployed.objects, 'PersistentVolumeClaim', 'models').spec;
    const folder = environmentOf(deployed)['MODELS_DIR'];
    const holds =
      mount?.readOnly === true && mount.mountPath === folder && accessModes[0] === 'ReadWriteMany';
    return !holds && JSON.stringify({ mount, accessModes, folder });
  },
  'a proxy that cuts streams or uploads off': (deployed) => {
    const { annotations = {} } = only(deployed.objects, 'Ingress').metadata;
    const seconds = Object.entries(annotations).filter(([key]) => key.includes('timeout'));
    const sizes = Object.entries(annotations).filter(([key]) => key.includes('body-size'));
    const maxUploadBytes = configOf(deployed)?.maxUploadBytes ?? 0;
    const short = seconds.filter(([, value]) => parseInt(value) < 3600);
    // A multipart body is a little larger than the recording in it.
    const small = sizes.filter(([, value]) => !(parseInt(value) * 2 ** 20 > maxUploadBytes));
    return (seconds.length < 5 || sizes.length < 2 || short.length + small.length > 0) && 'annotations';
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
        egress !== undefined || ingress.some(({ from = [] }) => from.length === 0),
    );
    return (!closed || open.length > 0 || policies.length !== 2) && JSON.stringify(policies);
  },
  'a namespace that does not enforce the restricted profile': ({ objects }) => {
    const { metadata } = only(objects, 'Namespace');
    const strays = objects.filter((o) => o.kind !== 'Namespace' && o.metadata.namespace !== metadata.name);
    const level = metadata.labels?.['pod-security.kubernetes.io/enforce'];
    return (level !== 'restricted' || strays.length > 0) && `${level}, ${strays.length} strays`;
  },
  'an engine that is not the image’s': (deployed) => {
    const pod = podOf(deployed);
    const images = new Set([...(pod.initContainers ?? []), ...pod.containers].map(({ image }) => image));
    const gpus = pod.containers[0]!.resources.limits['nvidia.com/gpu'];
    const cuda = [...images].every((image) => image.endsWith(`:${version}-cuda`));
    const cpu = [...images].every((image) => image.endsWith(`:${version}-cpu`));
    const placed = pod.nodeSelector !== undefined && pod.tolerations?.[0]?.key === 'nvidia.com/gpu';
    const holds = gpus === undefined ? cpu && !placed : gpus === 1 && cuda && placed;
    return !holds && `${[...images].join()}, ${gpus ?? 0} GPUs`;
  },
};

/** The checks that do not hold, each with what it found. */
export function problemsOf(deployed: Deployed): string[] {
  return Object.entries(checks).flatMap(([name, check]) => {
    const found = check(deployed);
    return found === false ? [] : [`${name}: ${found}`];
  });
}
