import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { documentedYaml, type PodSpec } from '../support/kubernetes';

let folder: string;
let target: string;
let archive: Buffer;
let server: Server;
let url: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-test-'));
  await mkdir(join(folder, 'models', 'cnn-1'), { recursive: true });
  await writeFile(join(folder, 'models', 'cnn-1', 'manifest.json'), 'from elsewhere');
  archive = execFileSync('tar', ['-czf', '-', '-C', join(folder, 'models'), '.']);
  server = createServer((request, response) => {
    if (request.url === '/models.tar.gz') response.end(archive);
    else response.writeHead(404).end('nothing here');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models.tar.gz`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  target = await mkdtemp(join(folder, 'target-'));
});

/** Runs the very command of a patch in docs/deployment.md, in folders of the test's. */
async function run(title: string, env: Readonly<Record<string, string>>): Promise<void> {
  const patch = documentedYaml(title) as { spec: { template: { spec: PodSpec } } };
  const [program, ...args] = patch.spec.template.spec.initContainers![0]!.command!;
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
  await promisify(execFile)(program!, args, { env: { PATH: path, MODELS_DIR: target, ...env } });
}

async function expectModels(): Promise<void> {
  expect(await readdir(target)).toEqual(['cnn-1']);
  expect(await readFile(join(target, 'cnn-1', 'manifest.json'), 'utf8')).toBe('from elsewhere');
}

describe('models from an address', () => {
  const fetchModels = (address: string, sum: string): Promise<void> =>
    run('Models from an address', { MODELS_URL: address, MODELS_SHA256: sum });
  const sha256 = (): string => createHash('sha256').update(archive).digest('hex');

  it('are unpacked, also over what an attempt left that was cut off', async () => {
    await mkdir(join(target, 'cnn-0'));
    await writeFile(join(target, 'archive'), archive.subarray(0, 20));
    await fetchModels(url, sha256());
    await expectModels();
  });

  it('are not served where the sum is another’s', async () => {
    await expect(fetchModels(url, '0'.repeat(64))).rejects.toThrow('did NOT match');
    expect(await readdir(target)).toEqual(['archive']);
  });

  it('are missed in words where the address does not have them', async () => {
    await expect(fetchModels(`${url}.old`, sha256())).rejects.toThrow('The address answers 404.');
    expect(await readdir(target)).toEqual([]);
  });
});

it('models from an image are copied, also over what an attempt left that was cut off', async () => {
  await mkdir(join(target, 'cnn-0'));
  await run('Models from an image', { SOURCE_DIR: join(folder, 'models') });
  await expectModels();
});
