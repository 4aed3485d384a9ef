import type { Container, PodSpec, SecurityContext } from './kubernetes';

/** The volumes that `restricted` allows; `image` since Kubernetes 1.33. */
const volumeTypes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const safeSysctls = [
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start'],
  ...['net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports'],
  ...['net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl'],
  'net.ipv4.tcp_keepalive_probes',
];

/**
 * What a pod does against the Pod Security Standards' profile `restricted`, one sentence each
 * (kubernetes.io, Pod Security Standards, all controls of Baseline and Restricted), and against the
 * house's own: a read-only root, no service account token.
 */
export function restrictedViolations(pod: PodSpec): string[] {
  const shared = pod.securityContext ?? {};
  const problems: string[] = [];
  for (const key of ['hostNetwork', 'hostPID', 'hostIPC'] as const) {
    if (pod[key] === true) problems.push(`${key} is on`);
  }
  for (const { name, ...volume } of pod.volumes) {
    const type = Object.keys(volume).find((key) => !volumeTypes.includes(key));
    if (type !== undefined) problems.push(`volume ${name} is a ${type}`);
  }
  for (const { name } of shared.sysctls ?? []) {
    if (!safeSysctls.includes(name)) problems.push(`sysctl ${name}`);
  }
  if (pod.automountServiceAccountToken !== false) problems.push('a service account token is mounted');
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  return [...problems, ...containers.flatMap((container) => containerViolations(container, shared))];
}

function containerViolations(container: Container, shared: SecurityContext): string[] {
  const own = container.securityContext ?? {};
  const effective = { ...shared, ...own };
  const rules: readonly (readonly [boolean, string])[] = [
    [own.privileged === true, 'is privileged'],
    [own.allowPrivilegeEscalation !== false, 'may escalate privileges'],
    [!(own.capabilities?.drop ?? []).includes('ALL'), 'does not drop all capabilities'],
    [(own.capabilities?.add ?? []).some((name) => name !== 'NET_BIND_SERVICE'), 'adds capabilities'],
    [effective.runAsNonRoot !== true, 'may run as root'],
    [effective.runAsUser === 0, 'runs as root'],
    [
      !['RuntimeDefault', 'Localhost'].includes(effective.seccompProfile?.type ?? ''),
      'has no seccomp profile',
    ],
    [!['Default', undefined].includes(own.procMount), 'unmasks /proc'],
    [isForeignSelinux(shared) || isForeignSelinux(own), 'chooses its SELinux type'],
    [effective.appArmorProfile?.type === 'Unconfined', 'switches AppArmor off'],
    [effective.windowsOptions?.hostProcess === true, 'is a Windows host process'],
    [(container.ports ?? []).some(({ hostPort }) => hostPort !== undefined), 'takes a port of its host'],
    [own.readOnlyRootFilesystem !== true, 'can write to its root'],
  ];
  return rules.filter(([broken]) => broken).map(([, what]) => `${container.name} ${what}`);
}

function isForeignSelinux({ seLinuxOptions }: SecurityContext): boolean {
  if (seLinuxOptions === undefined) return false;
  const { type = '', user = '', role = '' } = seLinuxOptions;
  const allowed = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
  return !allowed.includes(type) || user !== '' || role !== '';
}
