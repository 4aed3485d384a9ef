import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTrainerConfig } from '../../services/trainer/config';
import { queueName } from '../../shared/jobs/work-queue';
import { imageConfig, parseDockerfile } from '../image/dockerfile';
import { checks, problemsOf, type Deployed } from '../support/deployment-checks';
import {
  only,
  overlays,
  parseObjects,
  podSpecs,
  projectFolder,
  renderOverlay,
  type Container,
  type PodSpec,
} from '../support/kubernetes';
import { describeWithPrograms } from '../support/programs';

const stages = parseDockerfile(readFileSync(join(projectFolder, 'Dockerfile'), 'utf8'));
const imageEnv = imageConfig(stages, 'cpu').env;

/** A container's environment: the image's, and its own. */
function environmentOf(container: Container, image: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...image, ...Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value])) };
}

type Break = (deployed: Deployed & { imageEnv: Record<string, string> }) => unknown;

const pod = ({ objects }: Deployed): PodSpec => only(objects, 'Deployment').spec.template.spec as PodSpec;
const settings = ({ objects }: Deployed): Record<string, string> => only(objects, 'ConfigMap').data!;
const spec = ({ objects }: Deployed, kind: string, name?: string): ReturnType<typeof only>['spec'] =>
  only(objects, kind, name).spec;
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
  ['a reference to nothing', 'target', (d) => (spec(d, 'HorizontalPodAutoscaler').scaleTargetRef.name = 'x')],
  ['a reference to nothing', 'claim', (d) => (pod(d).volumes[0]!.persistentVolumeClaim!.claimName = 'x')],
  [
    'a roll-out or a drained node that takes the service away',
    'roll-out',
    (d) => (spec(d, 'Deployment').strategy.rollingUpdate.maxUnavailable = 1),
  ],
  [
    'a roll-out or a drained node that takes the service away',
    'single',
    (d) => (spec(d, 'HorizontalPodAutoscaler').minReplicas = 1),
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
    (d) => (settings(d)['MAX_CONCURRENT_REQUESTS'] = '64'),
  ],
  [
    'less memory than the settings let callers take',
    'limit',
    (d) => (pod(d).containers[0]!.resources.limits['memory'] = '4Gi'),
  ],
  [
    'less scratch space than the decoding threads may fill',
    'size',
    (d) => (pod(d).volumes[1]!.emptyDir!.sizeLimit = '64Mi'),
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
    (d) => delete pod(d).containers[0]!.volumeMounts[0]!.readOnly,
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
    'an open network',
    'no default',
    (d) => (spec(d, 'NetworkPolicy', 'default-deny').policyTypes = ['Ingress']),
  ],
  ['an open network', 'everybody', (d) => delete spec(d, 'NetworkPolicy', 'classifier').ingress[0].from],
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

describeWithPrograms(['kubectl', 'kustomize'])('the classifier as it is deployed', () => {
  const objectsOf = new Map(overlays.map((name) => [name, parseObjects(renderOverlay(name))]));

  it.each(['cpu', 'gpu'])('hangs together in the overlay %s', (overlay) => {
    expect(problemsOf({ objects: objectsOf.get(overlay)!, imageEnv })).toEqual([]);
  });

  it.each(breaks)('would not pass with %s (%s)', (problem, _, breakIt) => {
    const broken = { objects: structuredClone(objectsOf.get('cpu')!), imageEnv: { ...imageEnv } };
    breakIt(broken);
    expect(problemsOf(broken)).toEqual([expect.stringContaining(`${problem}: `)]);
  });

  it('has a way of breaking for every check', () => {
    expect(new Set(breaks.map(([name]) => name))).toEqual(new Set(Object.keys(checks)));
  });

  it('computes on a GPU in the overlay gpu, and only there', () => {
    const gpus = ['cpu', 'gpu'].map((overlay) => {
      const [, { containers }] = podSpecs(objectsOf.get(overlay)!)[0]!;
      return containers[0]!.resources.limits['nvidia.com/gpu'];
    });
    expect(gpus).toEqual([undefined, 1]);
  });

  describe.each(['cpu-jobs', 'gpu-jobs'])('with training beside it, in the overlay %s', (overlay) => {
    const objects = objectsOf.get(overlay)!;
    const pods = new Map(podSpecs(objects));
    const [classifier, trainer] = [pods.get('Deployment classifier')!, pods.get('ScaledJob trainer')!];
    const labels = (component: string): object => ({
      'app.kubernetes.io/name': 'earshot',
      'app.kubernetes.io/component': component,
    });

    it('has trainers that read their settings, and find a volume where they write', () => {
      const [first, container] = [trainer.initContainers![0]!, trainer.containers[0]!];
      const config = readTrainerConfig(environmentOf(container, imageEnv));
      const mounted = container.volumeMounts.map(({ mountPath }) => mountPath);
      const needed = [config.modelsFolder, dirname(config.runsFolder), config.clipCacheFolder, '/tmp'];
      expect(mounted.sort()).toEqual(needed.sort());
      // The data set's folder is made by the first container, on the claim that both mount.
      expect(first.volumeMounts.map(({ mountPath }) => mountPath)).toEqual([dirname(config.dataFolder)]);
      expect(readTrainerConfig(environmentOf(first, imageEnv)).dataFolder).toBe(config.dataFolder);
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
