import { spawnSync } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import {
  documentedYaml,
  projectFolder,
  renderComposition,
  renderKustomization,
  renderOverlay,
  type KubernetesObject,
} from '../support/kubernetes';
import { modelSources, patchedWith } from '../support/model-sources';
import { admit, apply, objectionOf, type Objection } from './admission';
import { startApiServer, type ApiServer } from './api-server';
import { buildPrograms, moduleFiles } from './build-programs';

/**
 * `npm run check-cluster`: applies the base, every overlay and component, and what docs/deployment.md
 * shows, to a real API server that validates each field and enforces Pod Security. The server is built
 * from its Go module: needs Go, its module proxy, kubectl or kustomize, 4 GB in TMPDIR and in Go's
 * caches, and minutes, the first time perhaps an hour of a busy machine. Nothing runs behind the server,
 * so that pods are admitted and never start.
 */

const keda = { module: 'github.com/kedacore/keda/v2@v2.21.0', folder: 'config/crd/bases' };
const prometheus = {
  module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
  folder: 'example/prometheus-operator-crd',
};
const gateway = { module: 'sigs.k8s.io/gateway-api@v1.6.3', folder: 'config/crd' };

const kedaKinds = ['scaledjobs', 'scaledobjects', 'triggerauthentications'].map(
  (name) => `keda.sh_${name}.yaml`,
);
const prometheusKinds = ['servicemonitors', 'prometheusrules'].map(
  (name) => `monitoring.coreos.com_${name}.yaml`,
);
const routeKind = 'gateway.networking.k8s.io_httproutes.yaml';

let failures = 0;
const leftOut: string[] = [];

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function report(what: string, objection: Objection): void {
  if (objection === undefined) say(`       ok  ${what}`);
  else {
    failures += 1;
    say(`not so     ${what}\n${objection.replace(/^/gm, '           ')}`);
  }
}

/** @param why what the server has to say when it refuses */
function reportRefusal(what: string, objection: Objection, why: RegExp): void {
  if (objection !== undefined && why.test(objection)) report(what, undefined);
  else report(what, objection ?? 'It was admitted.');
}

async function main(): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'earshot-cluster-'));
  try {
    const folder = join(scratch, 'server');
    await mkdir(folder);
    const programs = await buildPrograms(scratch, say);
    say('starts the API server');
    const server = await startApiServer(programs, folder);
    // An interrupted check fails from here on, and clears up after itself.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
    try {
      say(server.kubectl(['version']).words.trim());
      checkStrictness(server);
      checkWithoutMore(server);
      await checkWalk(server, scratch);
      await checkWithKinds(server);
      checkWalkWithJobs(server);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  for (const line of leftOut) say(`left out: ${line}`);
  say(failures === 0 ? 'The server takes everything.' : `${failures} are not so.`);
  process.exitCode = failures === 0 ? 0 : 1;
}

/** The checks themselves could fail: the server refuses what is wrong. */
function checkStrictness(server: ApiServer): void {
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'strict', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  };
  report('a namespace is made', apply(server, [namespace as unknown as KubernetesObject]));
  server.kubectl(['-n', 'strict', 'create', 'serviceaccount', 'default']);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'any', namespace: 'strict' },
    spec: { containers: [{ name: 'any', image: 'any' }] },
  };
  const create = (object: object): Objection =>
    objectionOf(server.kubectl(['create', '--validate=strict', '-f', '-'], stringify(object)));
  reportRefusal('Pod Security refuses a pod without restrictions', create(pod), /violates PodSecurity/);
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'any' }, spec: { port: 1 } };
  reportRefusal('an unknown field is refused', create(service), /unknown field "spec\.port"/);
}

/** What needs Kubernetes alone. */
function checkWithoutMore(server: ApiServer): void {
  const compositions: readonly (readonly [name: string, text: string])[] = [
    ['the base', renderComposition({ components: [] })],
    ['overlay-cpu', renderOverlay('cpu')],
    ['overlay-gpu', renderOverlay('gpu')],
    ['shared-models', renderComposition({ components: ['shared-models'] })],
    ['gpu-shared', renderComposition({ components: ['gpu-shared'], image: 'cuda' })],
    ...modelSources.map((title) => [title, patchedWith(title)] as const),
    ['MIG', patchedWith('MIG', ['gpu-shared'])],
  ];
  for (const [name, text] of compositions) report(name, admit(server, text, namespaceOf(name)));
  const jobs = admit(server, renderOverlay('cpu-jobs'), 'too-early');
  reportRefusal('the overlay cpu-jobs wants KEDA first', jobs, /no matches for kind "ScaledJob"/);
}

/** What docs/deployment.md says under Kubernetes, in its order, from nothing. */
async function checkWalk(server: ApiServer, scratch: string): Promise<void> {
  const manifest = join(projectFolder, 'k8s', 'base', 'namespace.yaml');
  report('kubectl apply -f k8s/base/namespace.yaml', objectionOf(server.kubectl(['apply', '-f', manifest])));
  await makeSecrets(server, scratch);
  const overlay = join(projectFolder, 'k8s', 'overlays', 'cpu');
  const [first, again] = [0, 1].map(() =>
    objectionOf(server.kubectl(['apply', '--validate=strict', '-k', overlay])),
  );
  report('kubectl apply -k k8s/overlays/cpu', first);
  report('the same again', again);
  for (const title of ['Ingress', 'Reach']) {
    report(`the documented ${title}`, apply(server, [documentedYaml(title) as KubernetesObject]));
  }
}

/** What needs kinds of others, each installed before its turn. */
async function checkWithKinds(server: ApiServer): Promise<void> {
  if (await install(server, keda, kedaKinds)) {
    for (const name of ['cpu-jobs', 'gpu-jobs']) {
      report(`overlay-${name}`, admit(server, renderOverlay(name), namespaceOf(`overlay-${name}`)));
    }
    check(server, ['autoscaling']);
  }
  if (await install(server, prometheus, prometheusKinds)) check(server, ['monitoring']);
  if (await install(server, gateway, [`standard/${routeKind}`])) {
    check(server, ['gateway']);
    const affinity = renderComposition({ components: ['gateway', 'gateway-affinity'] });
    const refusal = admit(server, affinity, 'standard-channel');
    reportRefusal(
      'the standard channel refuses gateway-affinity',
      refusal,
      /unknown field .*sessionPersistence/,
    );
    await install(server, gateway, [`experimental/${routeKind}`]);
    check(server, ['gateway', 'gateway-affinity']);
  }
  const overlay = renderKustomization(documentedYaml('Overlay') as object);
  report('the documented overlay', admit(server, overlay, 'documented'));
}

function check(server: ApiServer, components: readonly string[]): void {
  const name = components.join(' with ');
  report(name, admit(server, renderComposition({ components }), namespaceOf(name)));
}

async function makeSecrets(server: ApiServer, scratch: string): Promise<void> {
  const keys = join(scratch, 'keys.json');
  await writeFile(keys, '[]');
  const secrets = [
    ['redis', '--from-literal=password=p', '--from-literal=url=redis://:p@redis:6379'],
    ['api-keys', `--from-file=${keys}`],
  ];
  for (const args of secrets) {
    const made = server.kubectl(['-n', 'earshot', 'create', 'secret', 'generic', ...args]);
    report(`the secret ${args[0]}`, objectionOf(made));
  }
}

/** Training beside what the walk applied before. */
function checkWalkWithJobs(server: ApiServer): void {
  const overlay = join(projectFolder, 'k8s', 'overlays', 'cpu-jobs');
  const applied = server.kubectl(['apply', '--validate=strict', '-k', overlay]);
  report('kubectl apply -k k8s/overlays/cpu-jobs', objectionOf(applied));
  say(server.kubectl(['-n', 'earshot', 'get', 'deployments,statefulsets,services,scaledjobs,pvc']).words);
}

/**
 * Installs resource kinds from a module's files, anew where they are there.
 * @returns whether they could be had; else what needs them is left out, and said to be
 */
async function install(
  server: ApiServer,
  { module, folder }: { readonly module: string; readonly folder: string },
  files: readonly string[],
): Promise<boolean> {
  let root: string;
  try {
    root = await moduleFiles(module);
  } catch (error) {
    leftOut.push(`what needs the kinds of ${module}: ${(error as Error).message}`);
    return false;
  }
  for (const file of files) {
    const path = join(root, folder, file);
    // Too large for what `apply` notes on an object.
    const applied = server.kubectl(['apply', '--server-side', '--force-conflicts', '-f', path]);
    report(`installs ${file}`, objectionOf(applied));
    server.kubectl(['wait', '--for=condition=Established', '--timeout=120s', '-f', path]);
  }
  return true;
}

function namespaceOf(name: string): string {
  return name.toLowerCase().replaceAll(' ', '-');
}

if (spawnSync('go', ['version']).error !== undefined) {
  process.stderr.write('This needs Go, the version that test/cluster/go.mod names.\n');
  process.exitCode = 69;
} else {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
