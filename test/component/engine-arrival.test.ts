import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describeWith, libtensorflow, program, userNamespace } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { chooseTestEngine, provideTestKernels } from '../support/test-engine';

const loaded = 'the model is loaded and warmed up';
// Services start twice in each test, on a machine that may be busy.
jest.setTimeout(180_000);
let folder: string;
let engineCache: string;
let service: ServiceProcess | undefined;
let server: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-arrival-'));
  engineCache = join(folder, 'earshot', 'engine');
});

afterEach(async () => {
  await service?.kill();
  service = undefined;
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** A program that stands for another, as a script of bash. */
async function putProgram(name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  return file;
}

/** Stands before work that is to wait until the file `go` is there, or the test is over. */
const waiting = (): string => `until [ -e ${folder}/go ] || [ ! -e "$0" ]; do sleep 0.05; done`;

const letGo = (): Promise<void> => writeFile(join(folder, 'go'), '');

/** @returns what computes, as soon as that is of this kind */
async function servedBy(url: string, kind: string): Promise<string> {
  for (;;) {
    const list = (await (await fetch(`${url}/models`)).json()) as {
      served: { engine: string } | null;
    };
    const engine = list.served?.engine ?? '';
    if (engine.includes(kind)) return engine;
    await setTimeout(20);
  }
}

/** A package server that takes connections and never answers. @returns its settings for pip */
async function silentPackages(): Promise<Readonly<Record<string, string>>> {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  server = silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  return { PIP_INDEX_URL: `http://127.0.0.1:${port}/simple`, PIP_CONFIG_FILE: '/dev/null' };
}

const besideCard = ['--map-root-user', '--mount', 'sh', '-c'];
/** Where the driver of a card says that it is loaded. */
const mountDriver =
  'mount -t tmpfs none /proc/driver && mkdir /proc/driver/nvidia && > /proc/driver/nvidia/version';

/** A service on a machine with a card and its driver, as far as can be told without using it. */
async function startBesideCard(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  execFileSync('g++', ['-shared', '-fPIC', '-x', 'c++', '/dev/null', '-o', join(folder, 'libcuda.so.1')]);
  await publishRandomModel(join(folder, 'models'), 'cnn-random');
  const own = {
    ENGINE: 'auto',
    XDG_CACHE_HOME: folder,
    LD_LIBRARY_PATH: folder,
    MODELS_DIR: join(folder, 'models'),
  };
  const under = ['unshare', '--user', ...besideCard, `${mountDriver} && exec "$@"`, 'sh'];
  return (service = new ServiceProcess({ ...own, ...env }, { under }));
}

describeWith(userNamespace(...besideCard, mountDriver), program('python3'))(
  'a machine with a card, and no CUDA yet',
  () => {
    it('answers on WebAssembly and then on the kernels while a network that swallows packets is asked for CUDA', async () => {
      const packages = await silentPackages();
      const asked = once(server!, 'connection');
      const compiler = await putProgram(
        'compiler',
        `${waiting()}\ncp ${await provideTestKernels()} "\${@: -1}"`,
      );
      const started = await startBesideCard({ ...packages, CXX: compiler });
      const url = await started.url();
      expect(await started.lineWith({ msg: loaded })).toMatchObject({
        engine: expect.stringMatching(/^wasm/),
      });
      expect((await fetch(`${url}/readyz`)).status).toBe(200);
      await asked;
      await letGo();
      await servedBy(url, 'native');
      started.child.kill('SIGTERM');
      expect(await started.exitCode()).toBe(0);
      expect((await readdir(engineCache)).filter((name) => !name.startsWith('kernels-'))).toEqual([]);
    });

    it('goes on, and says why, where CUDA cannot be fetched', async () => {
      const compiler = await putProgram('compiler', `cp ${await provideTestKernels()} "\${@: -1}"`);
      const started = await startBesideCard({ PIP_NO_INDEX: '1', CXX: compiler });
      const url = await started.url();
      const warning = await started.line('cuda engine unavailable, what answers goes on');
      expect(warning).toMatchObject({ level: 40, msg: expect.stringContaining('No matching distribution') });
      await servedBy(url, 'native');
    });
  },
);

describeWith(libtensorflow)('a network that the kernels do not compute', () => {
  it('is computed by WebAssembly until libtensorflow is fetched, and then by that', async () => {
    const { bindingPath } = (await chooseTestEngine()) as { bindingPath: string };
    // pip, and the archive that it would have fetched; the compiler gives the binding that is built
    // already.
    await putProgram(
      'python3',
      `if [ "$1" = -m ]; then
  while [ "$1" != --dest ]; do shift; done
  ${waiting()}
  echo > "$2/tensorflow.whl"
else
  mkdir -p "$4/tensorflow/include"
  for name in cc framework; do
    ln -s ${dirname(bindingPath)}/tensorflow/libtensorflow_$name.so.2 "$4/tensorflow/"
  done
fi`,
    );
    const compiler = await putProgram(
      'compiler',
      `[[ "$*" == *tfjs_binding.cc* ]] && cp ${bindingPath} "\${@: -1}"`,
    );
    const models = join(folder, 'models');
    await publishRandomModel(models, 'cnn-random', {
      changes: {
        members: [{ frontEnd: 0, network: { architecture: 'cnn', dropout: 0.1, batchNorm: 'applied' } }],
      },
    });
    const env = {
      XDG_CACHE_HOME: folder,
      MODELS_DIR: models,
      CXX: compiler,
      PATH: `${folder}:${process.env['PATH']}`,
    };
    const started = (service = new ServiceProcess({ ENGINE: 'auto', ENGINE_KERNELS: 'reference', ...env }));
    const url = await started.url();
    expect(await started.lineWith({ msg: loaded })).toMatchObject({ engine: expect.stringMatching(/^wasm/) });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await letGo();
    expect(await servedBy(url, 'libtensorflow')).toMatch(/^cpu/);
  });
});
