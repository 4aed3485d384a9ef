import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { version } from '../../package.json';
import { readTrainerConfig } from '../../services/trainer/options/config';
import { queueName } from '../../shared/jobs/work-queue';
import { imageConfig, parseDockerfile } from '../image/dockerfile';
import { checks, problemsOf, type Deployed } from '../support/deployment-checks';
import {
  documentedYaml,
  only,
  overlays,
  parseObjects,
  podSpecs,
  projectFolder,
  renderComposition,
  renderOverlay,
  type Container,
  type KubernetesObject,
  type PodSpec,
} from '../support/kubernetes';
import { describeWith, program } from '../support/needs';

const stages = parseDockerfile(readFileSync(join(projectFolder, 'Dockerfile'), 'utf8'));
const imageEnv = imageConfig(stages, 'cpu').env;
const trainerEnv = imageConfig(stages, 'trainer').env;

/** A container's environment: the image's, and its own. */
function environmentOf(container: Container, image: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...image, ...Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value])) };
}

type Break = (deployed: Deployed & { imageEnv: Record<string, string> }) => unknown;

const pod = ({ objects }: Deployed): PodSpec => only(objects, 'Deployment').spec.template.spec as PodSpec;
const settings = (d: Deployed): Record<string, string> =>
  only(d.objects, 'ConfigMap', pod(d).containers[0]!.envFrom![0]!.configMapRef.name).data!;
const spec = ({ objects }: Deployed, kind: string, name?: string): ReturnType<typeof only>['spec'] =>
  only(objects, kind, name).spec;
const scratch = (d: Deployed): PodSpec['volumes'][number] =>
  pod(d).volumes.find(({ emptyDir }) => emptyDir !== undefined)!;
const models = (d: Deployed): Container['volumeMounts'][number] =>
  pod(d).containers[0]!.volumeMounts.find(({ name }) => name === 'models')!;
const annotations = ({ objects }: Deployed): Record<string, string> =>
  only(objects, 'Ingress').metadata.annotations as Record<string, string>;

/** Every way in which each check must notice a deployment that was broken. */
const breaks: readonly (readonly [keyof typeof checks, string, Break])[] = [
  ['a variable that the service does not read', 'typo', (d) => (settings(d)['LOG_LEVLE'] = 'info')],
  ['settings that the service refuses', 'value', (d) => (settings(d)['DRAIN_SECONDS'] = '25s')],
  ['killed before it has drained', 'drain', (d) => (settings(d)['DRAIN_SECONDS'] = '40')],
  ['killed before it has drained', 'grace', (d) => (pod(d).terminationGracePeriodSeconds = 30)],
  ['killed before it has drained', 'no sleep', (d) => delete pod(d).containers[0]!.lifecycle],
  [
    'probes that ask the wrong thing',
    'liveness of the model',
    (d) => (pod(d).containers[0]!.livenessProbe!.httpGet.path = '/readyz'),
  ],
  ['probes without patience', 'start', (d) => (pod(d).containers[0]!.startupProbe!.failureThreshold = 5)],
  ['probes without patience', 'death', (d) => (pod(d).containers[0]!.livenessProbe!.failureThreshold = 1)],
  ['probes without patience', 'doze', (d) => (pod(d).containers[0]!.readinessProbe!.periodSeconds = 30)],
  ['a port that nobody listens on', 'port', (d) => (d.imageEnv['PORT'] = '3000')],
  ['a reference to nothing', 'selector', (d) => (spec(d, 'Service').selector = { app: 'x' })],
  ['a reference to nothing', 'target port', (d) => (spec(d, 'Service').ports[0].targetPort = 'web')],
  ['a reference to nothing', 'monitor', (d) => (spec(d, 'ServiceMonitor').endpoints[0].port = 'web')],
  ['a reference to nothing', 'metrics', (d) => (spec(d, 'ServiceMonitor').endpoints[0].path = '/metric')],
  ['a reference to nothing', 'job', (d) => (spec(d, 'ServiceMonitor').jobLabel = 'component')],
  [
    'a reference to nothing',
    'policy',
    (d) => (spec(d, 'NetworkPolicy', 'classifier').ingress[0].ports[0].port = 'web'),
  ],
  ['a reference to nothing', 'budget', (d) => (spec(d, 'PodDisruptionBudget').selector.matchLabels.x = 'y')],
  ['a reference to nothing', 'scaled', (d) => (spec(d, 'ScaledObject').scaleTargetRef.name = 'x')],
  ['a reference to nothing', 'route', (d) => (spec(d, 'HTTPRoute').rules[0].backendRefs[0].name = 'x')],
  [
    'a reference to nothing',
    'route’s port',
    (d) => (spec(d, 'HTTPRoute').rules[0].backendRefs[0].port = 8080),
  ],
  [
    'a reference to nothing',
    'backend',
    (d) => (spec(d, 'Ingress').rules[0].http.paths[0].backend.service.port.name = 'web'),
  ],
  [
    'a reference to nothing',
    'gateway’s policy',
    (d) => (spec(d, 'NetworkPolicy', 'classifier-gateway').podSelector.matchLabels.x = 'y'),
  ],
  [
    'a roll-out or a drained node that takes the service away',
    'roll-out',
    (d) => (spec(d, 'Deployment').strategy.rollingUpdate.maxUnavailable = 1),
  ],
  [
    'a roll-out or a drained node that takes the service away',
    'single',
    (d) => (spec(d, 'ScaledObject').minReplicaCount = 1),
  ],
  [
    'a roll-out or a drained node that takes the service away',
    'stuck drain',
    (d) => (spec(d, 'PodDisruptionBudget').maxUnavailable = 0),
  ],
  ['replicas that fight the autoscaler', 'replicas', (d) => (spec(d, 'Deployment').replicas = 2)],
  [
    'less memory than the settings let callers take',
    'callers',
    (d) => (settings(d)['MAX_CONCURRENT_REQUESTS'] = '32'),
  ],
  [
    'less memory than the settings let callers take',
    'limit',
    (d) => (pod(d).containers[0]!.resources.limits['memory'] = '1400Mi'),
  ],
  [
    'less memory than the settings let callers take',
    'request',
    (d) => (pod(d).containers[0]!.resources.requests['memory'] = '1Gi'),
  ],
  [
    'less memory than the settings let callers take',
    'decoded audio',
    (d) => (settings(d)['DECODED_AUDIO_MAX_BYTES'] = '1073741824'),
  ],
  [
    'less memory than the longest recording takes',
    'decoded audio',
    (d) => (settings(d)['DECODED_AUDIO_MAX_BYTES'] = '134217728'),
  ],
  [
    'less scratch space than the decoding threads may fill',
    'size',
    (d) => (scratch(d).emptyDir!.sizeLimit = '64Mi'),
  ],
  [
    'scratch volumes beyond the limit of the pod',
    'limit',
    (d) => (pod(d).containers[0]!.resources.limits['ephemeral-storage'] = '128Mi'),
  ],
  ['other threads than cores', 'cores', (d) => (pod(d).containers[0]!.resources.limits['cpu'] = '4')],
  [
    'models that a server could change, or only one node could read',
    'writable',
    (d) => delete models(d).readOnly,
  ],
  [
    'models that a server could change, or only one node could read',
    'no volume',
    (d) => (models(d).mountPath = '/model'),
  ],
  [
    'models that a server could change, or only one node could read',
    'one node',
    (d) => (spec(d, 'PersistentVolumeClaim').accessModes = ['ReadWriteOnce']),
  ],
  [
    'a proxy that cuts streams or uploads off',
    'timeout',
    (d) => (annotations(d)['nginx.org/proxy-read-timeout'] = '60s'),
  ],
  [
    'a proxy that cuts streams or uploads off',
    'default',
    (d) => delete annotations(d)['haproxy.org/timeout-tunnel'],
  ],
  [
    'a proxy that cuts streams or uploads off',
    'size',
    (d) => (annotations(d)['nginx.org/client-max-body-size'] = '1m'),
  ],
  [
    'a proxy that cuts streams or uploads off',
    'gateway',
    (d) => delete spec(d, 'HTTPRoute').rules[0].timeouts,
  ],
  ['metrics that anybody may read', 'route', (d) => (spec(d, 'HTTPRoute').rules.length = 1)],
  [
    'metrics that anybody may read',
    'backend',
    (d) => (spec(d, 'HTTPRoute').rules[1].backendRefs = [{ name: 'classifier', port: 80 }]),
  ],
  [
    'an identity that the API server knows more of than its name',
    'token',
    (d) => delete only(d.objects, 'ServiceAccount').automountServiceAccountToken,
  ],
  [
    'an open network',
    'no default',
    (d) => (spec(d, 'NetworkPolicy', 'default-deny').policyTypes = ['Ingress']),
  ],
  ['an open network', 'everybody', (d) => delete spec(d, 'NetworkPolicy', 'classifier').ingress[0].from],
  [
    'an open network',
    'any namespace',
    (d) => (spec(d, 'NetworkPolicy', 'classifier-gateway').ingress[0].from[0].namespaceSelector = {}),
  ],
  ['an open network', 'anywhere', (d) => (spec(d, 'NetworkPolicy', 'classifier').egress = [{}])],
  [
    'a namespace that does not enforce the restricted profile',
    'level',
    (d) => delete (only(d.objects, 'Namespace').metadata as { labels?: object }).labels,
  ],
  [
    'a namespace that does not enforce the restricted profile',
    'stray',
    (d) => (only(d.objects, 'Service').metadata.namespace = 'default'),
  ],
  [
    'an engine that is not the image’s',
    'GPU',
    (d) => (pod(d).containers[0]!.resources.limits['nvidia.com/gpu'] = 1),
  ],
];

describeWith(program('kubectl', 'kustomize'))('the classifier as it is deployed', () => {
  const objectsOf = new Map(overlays.map((name) => [name, parseObjects(renderOverlay(name))]));
  /**
   * With every component that changes nothing of what the checks say of the classifier alone, and the
   * documentation's Ingress.
   */
  const whole = [
    ...parseObjects(
      renderComposition({
        components: ['shared-models', 'monitoring', 'autoscaling', 'gateway', 'gateway-affinity'],
      }),
    ),
    documentedYaml('Ingress') as KubernetesObject,
  ];
  const onSlices = parseObjects(
    renderComposition({ components: ['shared-models', 'autoscaling', 'gpu-shared'], image: 'cuda' }),
  );

  it.each([
    ['the overlay cpu', objectsOf.get('cpu')!],
    ['the overlay gpu', objectsOf.get('gpu')!],
    ['the overlay cpu with components', whole],
    ['on slices of cards', onSlices],
  ])('hangs together: %s', (_, objects) => {
    expect(problemsOf({ objects, imageEnv })).toEqual([]);
  });

  it.each(breaks)('would not pass with %s (%s)', (problem, _, breakIt) => {
    const broken = { objects: structuredClone(whole), imageEnv: { ...imageEnv } };
    breakIt(broken);
    expect(problemsOf(broken)).toEqual([expect.stringContaining(`${problem}: `)]);
  });

  it('has a way of breaking for every check', () => {
    expect(new Set(breaks.map(([name]) => name))).toEqual(new Set(Object.keys(checks)));
  });

  it('has two pods where nobody scales it', () => {
    expect(only(objectsOf.get('cpu')!, 'Deployment').spec.replicas).toBe(2);
  });

  it('computes on a card in the overlay gpu, on a slice with gpu-shared, and on none elsewhere', () => {
    const cards = [objectsOf.get('cpu')!, objectsOf.get('gpu')!, onSlices].map((objects) => {
      const { limits } = podSpecs(objects)[0]![1].containers[0]!.resources;
      return Object.entries(limits).filter(([name]) => name.startsWith('nvidia.com/'));
    });
    expect(cards).toEqual([[], [['nvidia.com/gpu', 1]], [['nvidia.com/gpu.shared', 1]]]);
    const { env } = podSpecs(onSlices)[0]![1].containers[0]!;
    expect(env).toContainEqual({ name: 'TF_FORCE_GPU_ALLOW_GROWTH', value: 'true' });
    expect(env).toContainEqual({ name: 'MODELS_DIR', value: '/models' });
  });

  it('keeps pods on GPUs longer, and fewer of them', () => {
    const { spec: scaled } = only(onSlices, 'ScaledObject');
    const { scaleDown } = scaled.advanced.horizontalPodAutoscalerConfig.behavior;
    expect([scaled.maxReplicaCount, scaleDown.stabilizationWindowSeconds]).toEqual([4, 900]);
  });

  describe.each([
    ['cpu-jobs', 'cpu', 'trainer'],
    ['gpu-jobs', 'cuda', 'cuda'],
  ])('with training beside it, in the overlay %s', (overlay, serving, training) => {
    const objects = objectsOf.get(overlay)!;
    const pods = new Map(podSpecs(objects));
    const [classifier, trainer] = [pods.get('Deployment classifier')!, pods.get('ScaledJob trainer')!];
    const labels = (component: string): object => ({
      'app.kubernetes.io/name': 'earshot',
      'app.kubernetes.io/component': component,
    });

    it('serves from one image and trains in one that can', () => {
      const imagesOf = ({ initContainers = [], containers }: PodSpec): string[] => [
        ...new Set([...initContainers, ...containers].map(({ image }) => image)),
      ];
      expect(imagesOf(classifier)).toEqual([`registry.example.com/earshot:${version}-${serving}`]);
      expect(imagesOf(trainer)).toEqual([`registry.example.com/earshot:${version}-${training}`]);
    });

    it('has trainers that read their settings, and find a volume where they write', () => {
      const [first, container] = [trainer.initContainers![0]!, trainer.containers[0]!];
      const config = readTrainerConfig(environmentOf(container, trainerEnv));
      const mounted = container.volumeMounts.map(({ mountPath }) => mountPath);
      const needed = [config.modelsFolder, dirname(config.runsFolder), config.clipCacheFolder, '/tmp'];
      expect(mounted.sort()).toEqual(needed.sort());
      // The data set's folder is made by the first container, on the claim that both mount.
      expect(first.volumeMounts.map(({ mountPath }) => mountPath)).toEqual([dirname(config.dataFolder)]);
      expect(readTrainerConfig(environmentOf(first, trainerEnv)).dataFolder).toBe(config.dataFolder);
      expect(config.engineThreads).toBe(Number(container.resources.limits['cpu']));
      expect(checks['scratch volumes beyond the limit of the pod']!({ objects, imageEnv })).toBe(false);
    });

    it('shares models and datasets between classifier and trainers, on any node', () => {
      const claimsOf = ({ volumes }: PodSpec): string[] =>
        volumes.flatMap(({ persistentVolumeClaim: claim }) => (claim === undefined ? [] : [claim.claimName]));
      expect(claimsOf(classifier).sort()).toEqual(claimsOf(trainer).sort());
      for (const claim of claimsOf(trainer)) {
        expect(only(objects, 'PersistentVolumeClaim', claim).spec.accessModes).toEqual(['ReadWriteMany']);
      }
      const [environment, container] = [
        environmentOf(classifier.containers[0]!, imageEnv),
        trainer.containers[0]!,
      ];
      expect(environment['DATASETS_DIR']).toBe(environmentOf(container, imageEnv)['DATASETS_DIR']);
      const models = classifier.containers[0]!.volumeMounts.find(({ name }) => name === 'models');
      expect(models?.readOnly).toBe(false);
    });

    it('asks one Redis, by one secret, as the policies allow', () => {
      const address = (container: Container): object | undefined =>
        container.env?.find(({ name }) => name === 'REDIS_URL')?.valueFrom?.secretKeyRef;
      expect(address(classifier.containers[0]!)).toEqual({ name: 'redis', key: 'url' });
      expect(address(trainer.containers[0]!)).toEqual({ name: 'redis', key: 'url' });
      const [trigger] = only(objects, 'ScaledJob').spec.triggers as { metadata: Record<string, string> }[];
      expect(trigger!.metadata['listName']).toBe(`bull:${queueName}:wait`);
      const service = only(objects, 'Service', 'redis');
      expect(trigger!.metadata['address']).toBe(`redis.${service.metadata.namespace}.svc:6379`);
      expect(service.spec.selector).toEqual(labels('redis'));
      expect(only(objects, 'StatefulSet').spec.template.metadata.labels).toEqual(labels('redis'));
      const policies: readonly [policy: string, component: string][] = [
        ['redis', 'redis'],
        ['classifier-jobs', 'classifier'],
        ['trainer', 'trainer'],
      ];
      for (const [policy, component] of policies) {
        expect(only(objects, 'NetworkPolicy', policy).spec.podSelector.matchLabels).toEqual(
          labels(component),
        );
      }
      const asking = only(objects, 'NetworkPolicy', 'redis').spec.ingress[0].from[0].podSelector;
      expect(asking.matchExpressions[0].values).toEqual(['classifier', 'trainer']);
      for (const policy of ['classifier-jobs', 'trainer']) {
        const [first] = only(objects, 'NetworkPolicy', policy).spec.egress as {
          to: object[];
          ports: object[];
        }[];
        expect(first).toEqual({
          to: [{ podSelector: { matchLabels: labels('redis') } }],
          ports: [{ port: 6379 }],
        });
      }
    });
  });
});
