import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith, userNamespace } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { writeToneDataset } from '../support/tone-dataset';

const trainer = join(__dirname, '../../services/trainer/main.js');
/** A user whom no password file knows. */
const asUnknown = ['--map-user=4242', '--map-group=4242'];
let folder: string;
let service: ServiceProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-elsewhere-'));
});
afterEach(async () => {
  await service?.kill();
  service = undefined;
  await rm(folder, { recursive: true, force: true });
});

describe('a service that is started in another folder', () => {
  it('serves the package’s own models', async () => {
    service = new ServiceProcess({}, { cwd: folder });
    await service.line('the model is loaded and warmed up');
    expect(await readdir(folder)).toEqual([]);
  });

  it('names a relative MODELS_DIR that is not there with its absolute path', async () => {
    service = new ServiceProcess({ MODELS_DIR: 'my-models' }, { cwd: folder });
    expect(await service.exitCode()).toBe(69);
    expect((await service.line('No model can be served')).msg).toContain(join(folder, 'my-models'));
  });

  it('looks for a relative MODELS_DIR in that folder', async () => {
    await mkdir(join(folder, 'my-models'));
    await publishRandomModel(join(folder, 'my-models'), 'cnn-here');
    service = new ServiceProcess({ MODELS_DIR: 'my-models' }, { cwd: folder });
    const loaded = await service.lineWith({ msg: 'the model is loaded and warmed up' });
    expect(loaded).toMatchObject({ version: 'cnn-here' });
  });
});

describeWith(userNamespace(...asUnknown, 'true'))(
  'a user without an entry in the password file (needs user namespaces)',
  () => {
    it('serves', async () => {
      service = new ServiceProcess(
        { HOME: undefined, TMPDIR: folder },
        { under: ['unshare', '--user', ...asUnknown] },
      );
      await service.line('the model is loaded and warmed up');
      const { status } = await fetch(`${await service.url()}/readyz`);
      expect(status).toBe(200);
    });

    it('trains', async () => {
      await writeToneDataset(join(folder, 'data'));
      const what = ['train', `--data=${join(folder, 'data')}`, '--epochs=1', '--batch-size=4'];
      const { PATH, XDG_CACHE_HOME = join(process.env['HOME']!, '.cache') } = process.env;
      const child = spawn('unshare', ['--user', ...asUnknown, process.execPath, trainer, ...what], {
        cwd: folder,
        env: { PATH, XDG_CACHE_HOME, TMPDIR: folder, MODELS_DIR: join(folder, 'models'), ENCODER: 'off' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text));
      }
      const [code] = (await once(child, 'close')) as [number];
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(await readdir(join(folder, 'models'))).toHaveLength(1);
    });
  },
);
