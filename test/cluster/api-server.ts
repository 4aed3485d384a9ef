import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../support/free-port';
import type { ProgramName } from './build-programs';

export interface Kubectl {
  readonly status: number | null;
  /** What it said on both ways. */
  readonly words: string;
}

/** A Kubernetes API server with nothing behind it: no controllers, no scheduler, no node. */
export interface ApiServer {
  /** Runs kubectl as a cluster's administrator. */
  kubectl(args: readonly string[], input?: string): Kubectl;
  stop(): Promise<void>;
}

const startTimeoutMs = 300_000;

/**
 * Starts etcd and the API server on free ports of this machine.
 * @param folder where they keep everything; empty
 * @throws Error with their last words, when one of them ends or none answers
 */
export async function startApiServer(
  programs: Readonly<Record<ProgramName, string>>,
  folder: string,
): Promise<ApiServer> {
  const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
  const files = await writeFiles(folder, port);
  const running: Running[] = [];
  const stop = async (): Promise<void> => {
    for (const { child, closed } of running.reverse()) {
      child.kill('SIGKILL');
      await closed;
    }
  };
  try {
    running.push(run(programs.etcd, etcdArgs(join(folder, 'etcd'), etcdPort, peerPort)));
    running.push(run(programs['kube-apiserver'], apiServerArgs(folder, files, { etcdPort, port })));
    const kubectl = (args: readonly string[], input?: string): Kubectl => {
      const all = [`--kubeconfig=${files.kubeconfig}`, ...args];
      const { status, stdout, stderr } = spawnSync(programs.kubectl, all, { input, encoding: 'utf8' });
      return { status, words: stdout + stderr };
    };
    await untilReady(kubectl, running);
    return { kubectl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown>;
  readonly lastWords: () => string;
}

function run(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-5000);
  });
  return { child, closed: once(child, 'close'), lastWords: () => `${program}:\n${words}` };
}

async function untilReady(
  kubectl: (args: readonly string[]) => Kubectl,
  running: readonly Running[],
): Promise<void> {
  const untilMs = performance.now() + startTimeoutMs;
  for (;;) {
    if (kubectl(['get', '--raw', '/readyz']).status === 0) return;
    const ended = running.find(({ child }) => child.exitCode !== null);
    if (ended !== undefined || performance.now() > untilMs) {
      throw new Error(`No API server. ${(ended ?? running.at(-1)!).lastWords()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

interface Files {
  readonly kubeconfig: string;
  readonly tokens: string;
  readonly accountKey: string;
}

async function writeFiles(folder: string, port: number): Promise<Files> {
  await mkdir(join(folder, 'certificates'));
  const token = randomBytes(16).toString('hex');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    // It is asked on a loopback address, and makes its certificate by itself.
    clusters: [
      { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  const files = {
    kubeconfig: join(folder, 'kubeconfig'),
    tokens: join(folder, 'tokens.csv'),
    accountKey: join(folder, 'account.key'),
  };
  await writeFile(files.kubeconfig, stringify(kubeconfig));
  await writeFile(files.tokens, `${token},administrator,administrator,system:masters\n`);
  await writeFile(files.accountKey, privateKey.export({ type: 'pkcs1', format: 'pem' }));
  return files;
}

function etcdArgs(folder: string, port: number, peerPort: number): string[] {
  const [clients, peers] = [port, peerPort].map((own) => `http://127.0.0.1:${own}`);
  return [
    `--data-dir=${folder}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--unsafe-no-fsync',
  ];
}

function apiServerArgs(
  folder: string,
  { tokens, accountKey }: Files,
  { etcdPort, port }: { readonly etcdPort: number; readonly port: number },
): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, 'certificates')}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${accountKey}`,
    `--service-account-signing-key-file=${accountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none',
  ];
}
