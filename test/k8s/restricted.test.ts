import {
  overlays,
  parseObjects,
  podSpecs,
  renderComposition,
  renderOverlay,
  type PodSpec,
} from '../support/kubernetes';
import { modelSources, patchedWith } from '../support/model-sources';
import { describeWith, program } from '../support/needs';
import { restrictedViolations } from '../support/restricted-profile';

/** Each breaks one rule, and the rule must notice. */
const breaches: readonly (readonly [string, (pod: PodSpec) => void])[] = [
  ['hostNetwork is on', (pod) => (pod.hostNetwork = true)],
  ['hostPID is on', (pod) => (pod.hostPID = true)],
  ['hostIPC is on', (pod) => (pod.hostIPC = true)],
  ['volume x is a hostPath', (pod) => pod.volumes.push({ name: 'x', hostPath: { path: '/' } })],
  ['sysctl kernel.msgmax', (pod) => (pod.securityContext!.sysctls = [{ name: 'kernel.msgmax' }])],
  ['token is mounted', (pod) => delete pod.automountServiceAccountToken],
  ['is privileged', (pod) => (pod.containers[0]!.securityContext!.privileged = true)],
  ['may escalate', (pod) => delete pod.containers[0]!.securityContext!.allowPrivilegeEscalation],
  ['does not drop', (pod) => (pod.initContainers![0]!.securityContext!.capabilities = { drop: ['NET_RAW'] })],
  ['adds capabilities', (pod) => (pod.containers[0]!.securityContext!.capabilities!.add = ['SYS_ADMIN'])],
  ['may run as root', (pod) => delete pod.securityContext!.runAsNonRoot],
  ['runs as root', (pod) => (pod.containers[0]!.securityContext!.runAsUser = 0)],
  ['no seccomp profile', (pod) => (pod.securityContext!.seccompProfile!.type = 'Unconfined')],
  ['unmasks /proc', (pod) => (pod.containers[0]!.securityContext!.procMount = 'Unmasked')],
  ['SELinux', (pod) => (pod.securityContext!.seLinuxOptions = { type: 'spc_t' })],
  ['AppArmor', (pod) => (pod.securityContext!.appArmorProfile = { type: 'Unconfined' })],
  ['Windows', (pod) => (pod.securityContext!.windowsOptions = { hostProcess: true })],
  ['port of its host', (pod) => (pod.containers[0]!.ports = [{ name: 'x', containerPort: 1, hostPort: 1 }])],
  ['write to its root', (pod) => delete pod.initContainers![0]!.securityContext!.readOnlyRootFilesystem],
];

describeWith(program('kubectl', 'kustomize'))('the pods of every overlay', () => {
  const texts = [
    ...overlays.map((overlay) => [overlay, renderOverlay(overlay)] as const),
    ['gpu-shared', renderComposition({ components: ['shared-models', 'jobs', 'gpu-shared'] })] as const,
    ...modelSources.map((title) => [title, patchedWith(title)] as const),
  ];
  const pods = texts.flatMap(([overlay, text]) =>
    podSpecs(parseObjects(text)).map(([owner, pod]) => ({ overlay, owner, pod })),
  );
  const whole = pods.find(({ overlay }) => overlay === 'cpu-jobs')!.pod;

  it('are of the classifier, of Redis and of the trainers', () => {
    expect(pods.map(({ overlay, owner }) => `${overlay}: ${owner}`)).toEqual([
      'cpu: Deployment classifier',
      'cpu-jobs: Deployment classifier',
      'cpu-jobs: StatefulSet redis',
      'cpu-jobs: ScaledJob trainer',
      'gpu: Deployment classifier',
      'gpu-jobs: Deployment classifier',
      'gpu-jobs: StatefulSet redis',
      'gpu-jobs: ScaledJob trainer',
      'gpu-shared: Deployment classifier',
      'gpu-shared: StatefulSet redis',
      'gpu-shared: ScaledJob trainer',
      ...modelSources.map((title) => `${title}: Deployment classifier`),
    ]);
  });

  it.each(pods)('$overlay: $owner keeps to the restricted profile', ({ pod }) => {
    expect(restrictedViolations(pod)).toEqual([]);
  });

  it.each(breaches)('would be refused: %s', (sentence, breach) => {
    const broken = structuredClone(whole);
    breach(broken);
    expect(restrictedViolations(broken)).toContainEqual(expect.stringContaining(sentence));
  });
});
