import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectFolder } from '../support/kubernetes';

/** The Go module that names the programs and, in go.mod and go.sum, all that they are built from. */
const moduleFolder = join(projectFolder, 'test', 'cluster');

const packages = {
  etcd: './etcd',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
} as const;

export type ProgramName = keyof typeof packages;

/**
 * Builds etcd, the API server and kubectl from their Go modules, one package at a time: minutes at
 * first, seconds where Go's cache has them.
 * @returns the paths of the programs, in `folder`
 * @throws Error when Go is missing, or fails: it has said why on standard error
 */
export async function buildPrograms(
  folder: string,
  onStep: (line: string) => void,
): Promise<Record<ProgramName, string>> {
  const version = (await go(['list', '-m', '-f', '{{.Version}}', 'k8s.io/kubernetes'])).trim();
  const linking = `-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=${version}`;
  for (const [name, path] of Object.entries(packages)) {
    onStep(`builds ${name}`);
    const args = ['build', '-p', '1', '-trimpath', linking, '-o', join(folder, name), path];
    await go(args, { CGO_ENABLED: '0' });
  }
  const pathOf = (name: ProgramName): string => join(folder, name);
  return { etcd: pathOf('etcd'), 'kube-apiserver': pathOf('kube-apiserver'), kubectl: pathOf('kubectl') };
}

/** The folder of a module's files, fetched once. @param specifier as `example.com/module@v1.2.3` */
export async function moduleFiles(specifier: string): Promise<string> {
  const output = await go(['mod', 'download', '-json', specifier]);
  return (JSON.parse(output) as { Dir: string }).Dir;
}

/** @returns what it printed */
async function go(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn('go', args, {
    cwd: moduleFolder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`go ${args.join(' ')} ended with ${code}.`);
  return output;
}
