import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';

/**
 * Where a chroot's steps find the machine's own certificates: a proxy of this machine may have its own
 * authority.
 */
const certificates = '/etc/ssl/certs/ca-certificates.crt';
const insideCertificates = '/run/host-certificates.crt';

const running = new Set<ChildProcess>();

/**
 * For an interrupted check: everything started here ends, and with it all that runs in its namespaces.
 */
export function killRunning(): void {
  for (const child of running) child.kill('SIGKILL');
}

function watched<T extends ChildProcess>(child: T): T {
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** Runs a program to its end. @throws Error with its last words when it fails */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<string> {
  const child = watched(spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (words += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return output;
  throw new Error(`${command} ended with ${code}:\n${(output + words).split('\n').slice(-25).join('\n')}`);
}

/** A build step in a root folder, with network, as root: what `RUN` does. */
export async function runInside(
  root: string,
  script: string,
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly workdir: string;
    /** Folders of the machine, read-only, by where they are mounted. */
    readonly mounts: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const mounts = Object.entries(options.mounts).map(
    ([inside, outside]) =>
      `mkdir -p "$0${inside}"; mount --bind '${outside}' "$0${inside}"; mount -o remount,bind,ro "$0${inside}"`,
  );
  const certified = existsSync(certificates);
  const setUp = `
    set -e
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    cp -L /etc/resolv.conf "$0/etc/resolv.conf"
    ${certified ? `touch "$0${insideCertificates}"; mount --bind ${certificates} "$0${insideCertificates}"` : ''}
    ${mounts.join('\n')}
    exec chroot "$0" /bin/sh -c 'cd "$0" && eval "$1"' "$1" "$2"`;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DEBIAN_FRONTEND: 'noninteractive',
    LANG: 'C.UTF-8',
    ...(certified ? { NODE_EXTRA_CA_CERTS: insideCertificates, PIP_CERT: insideCertificates } : {}),
    ...options.env,
  };
  const isolation = ['--mount', '--pid', '--fork', '--kill-child'];
  await runProgram('unshare', [...isolation, 'sh', '-c', setUp, root, options.workdir, script], { env });
}

/**
 * Starts a process as a cluster's `restricted` profile would: read-only root, `/tmp` in memory, a user
 * without capabilities that can gain none, and no network but its own loopback interface.
 */
export function startRestricted(
  root: string,
  command: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly workdir: string;
    readonly user: string;
    /** Folders of the machine, by where they are mounted: all that can be written to but `/tmp`. */
    readonly volumes?: Readonly<Record<string, string>>;
  },
): ChildProcess {
  const volumes = Object.entries(options.volumes ?? {});
  const setUp = `
    set -e
    ip link set lo up
    mount --bind "$0" "$0"
    mount -t proc proc "$0/proc"
    mount -t tmpfs tmpfs "$0/dev"
    for device in null zero random urandom; do
      touch "$0/dev/$device"; mount --bind "/dev/$device" "$0/dev/$device"
    done
    mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
    mount -o remount,bind,ro "$0"
    ${volumes.map(([inside, outside]) => `mount --bind '${outside}' "$0${inside}"`).join('\n')}
    workdir=$1 user=$2
    shift 2
    exec chroot "$0" setpriv --reuid "\${user%:*}" --regid "\${user#*:}" --clear-groups --no-new-privs \
      --bounding-set -all --inh-caps -all sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"`;
  const isolation = ['--mount', '--pid', '--net', '--fork', '--kill-child'];
  return watched(
    spawn('unshare', [...isolation, 'sh', '-c', setUp, root, options.workdir, options.user, ...command], {
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}
