import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readYaml, type PodSpec } from '../support/kubernetes';

const deployment = readYaml('k8s/components/shared-models/classifier.yaml') as {
  spec: { template: { spec: PodSpec } };
};
const [program, ...args] = deployment.spec.template.spec.initContainers![0]!.command!;

let folder: string;
let image: string;
let volume: string;

/** Runs the init container's very command on folders of the test's. */
async function seed(): Promise<void> {
  const env = { PATH: process.env['PATH'], SEED_DIR: image, MODELS_DIR: volume };
  await promisify(execFile)(program!, args, { env });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-test-'));
  [image, volume] = [join(folder, 'image'), join(folder, 'volume')];
  await mkdir(join(image, 'cnn-1'), { recursive: true });
  await mkdir(volume);
  await writeFile(join(image, 'cnn-1', 'manifest.json'), 'from the image');
});
afterEach(() => rm(folder, { recursive: true }));

describe("the pods' first step", () => {
  it('puts the image’s version on a new volume, and nothing else', async () => {
    await seed();
    expect(await readdir(volume)).toEqual(['cnn-1']);
    expect(await readFile(join(volume, 'cnn-1', 'manifest.json'), 'utf8')).toBe('from the image');
  });

  it('leaves alone what is there', async () => {
    await mkdir(join(volume, 'cnn-1'));
    await mkdir(join(volume, 'cnn-2'));
    await writeFile(join(volume, 'cnn-1', 'manifest.json'), 'trained here');
    await seed();
    expect(await readdir(volume)).toEqual(['cnn-1', 'cnn-2']);
    expect(await readFile(join(volume, 'cnn-1', 'manifest.json'), 'utf8')).toBe('trained here');
  });

  it('makes one version where many pods come at once', async () => {
    await Promise.all(Array.from({ length: 8 }, seed));
    expect(await readdir(volume)).toEqual(['cnn-1']);
    expect(await readdir(join(volume, 'cnn-1'))).toEqual(['manifest.json']);
  });
});
