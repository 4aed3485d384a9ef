import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readTrainerConfig } from '../../services/trainer/config';
import { imageConfig, parseDockerfile } from '../image/dockerfile';
import { checks, problemsOf, type Deployed } from '../support/deployment-checks';
import {
  only,
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
  const objectsOf = new Map(['cpu', 'gpu', 'train'].map((name) => [name, parseObjects(renderOverlay(name))]));

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

  it('is trained with room for its scratch volumes', () => {
    const check = checks['scratch volumes beyond the limit of the pod']!;
    expect(check({ objects: objectsOf.get('train')!, imageEnv })).toBe(false);
  });

  it('computes on a GPU in the overlay gpu, and only there', () => {
    const gpus = ['cpu', 'gpu'].map((overlay) => {
      const [, { containers }] = podSpecs(objectsOf.get(overlay)!)[0]!;
      return containers[0]!.resources.limits['nvidia.com/gpu'];
    });
    expect(gpus).toEqual([undefined, 1]);
  });

  it('gets its new versions from the training job', () => {
    const objects = objectsOf.get('train')!;
    const [, job] = podSpecs(objects)[0]!;
    const config = readTrainerConfig(environmentOf(job.containers[0]!, imageEnv));
    const mounted = job.containers[0]!.volumeMounts.map(({ mountPath }) => mountPath);
    const needed = [config.modelsFolder, dirname(config.runsFolder), config.clipCacheFolder, '/tmp'];
    expect(mounted.sort()).toEqual(needed.sort());
    // The data set's folder is made by the first container, on the claim that both mount.
    const [first] = job.initContainers!;
    expect(first!.volumeMounts.map(({ mountPath }) => mountPath)).toEqual([dirname(config.dataFolder)]);
    expect(readTrainerConfig(environmentOf(first!, imageEnv)).dataFolder).toBe(config.dataFolder);
    expect(config.engineThreads).toBe(Number(job.containers[0]!.resources.limits['cpu']));
    // The claim is the service's.
    const claim = job.volumes.find(({ name }) => name === 'models')!.persistentVolumeClaim!.claimName;
    expect(only(objectsOf.get('cpu')!, 'PersistentVolumeClaim').metadata.name).toBe(claim);
  });
});
