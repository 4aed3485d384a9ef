import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findKey } from '../../services/cli/arguments/find-key';
import { writeAdminKey } from '../../shared/access/admin-key-file';
import { jobSchema } from '../../shared/contracts/job';
import { modelListSchema } from '../../shared/contracts/service-status';
import { runCli, type CliResult } from '../support/cli-process';
import { pcmWav } from '../support/pcm-clips';
import { publishRandomModel } from '../support/random-model';
import { ServiceProcess } from '../support/service-process';
import { zipFile } from '../support/zip-file';

let folder: string;
let service: ServiceProcess;
let env: { EARSHOT_SERVER: string; ADMIN_KEY_DIR: string };
const [first, second] = ['cnn-first', 'cnn-second'] as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-cli-admin-'));
  await publishRandomModel(join(folder, 'models'), first, {
    seed: 1,
    changes: { metrics: { validationAccuracy: 0.9, validationLoss: 1 } },
  });
  await publishRandomModel(join(folder, 'models'), second, { seed: 2 });
  const named = ['models', 'jobs', 'runs', 'datasets'] as const;
  const folders = named.map((name) => [`${name.toUpperCase()}_DIR`, join(folder, name)] as const);
  service = new ServiceProcess({ ENGINE: 'cpu', ...Object.fromEntries(folders) });
  env = { EARSHOT_SERVER: await service.url(), ADMIN_KEY_DIR: service.adminKeyFolder };
  await service.line('loaded and warmed up');
});
afterAll(async () => {
  await service.kill();
  await rm(folder, { recursive: true });
});

const earshot = (...args: readonly string[]): Promise<CliResult> => runCli(args, env);
const waiveAll = ['--waive', 'classes,accuracy,recall,parity,latency'];

describe('what serves', () => {
  it('is listed, promoted, rolled back, pinned and unpinned by who runs the service, without a word of keys', async () => {
    const listed = await earshot('models');
    expect([listed.code, [...listed.lines].sort()]).toEqual([
      0,
      [
        expect.stringMatching(`^${first}  served  validation 90.0 %`),
        expect.stringMatching(`^${second}  candidate`),
      ],
    ]);
    const serves = async (...args: readonly string[]): Promise<unknown> => {
      const { code, lines } = await earshot(...args);
      return [code, ...lines];
    };
    expect(await serves('promote', first, ...waiveAll)).toEqual([0, `${first} serves.`]);
    expect(await serves('promote', second, ...waiveAll)).toEqual([0, `${second} serves.`]);
    expect(await serves('rollback')).toEqual([0, `${first} serves.`]);
    expect(await serves('pin', second)).toEqual([0, `${second} serves.`]);
    const { lines } = await earshot('models', '--json');
    expect(modelListSchema.parse(JSON.parse(lines[0]!))).toMatchObject({ pinned: second, current: first });
    expect(await serves('unpin')).toEqual([0, `${first} serves.`]);
    expect(await earshot('unpin')).toMatchObject({ code: 73, errors: 'No version is pinned.\n' });
    expect(await earshot('promote', 'nothing')).toMatchObject({ code: 66, lines: [] });
  });
});

describe('datasets', () => {
  const clip = pcmWav(
    Array.from({ length: 8000 }, (_, i) => 0.3 * Math.sin(i / 5)),
    16_000,
  );
  const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}.wav`);
  const csv = ['filename,category', ...names.map((name, k) => `${name},${k % 2 ? 'bell' : 'kettle'}`)].join(
    '\n',
  );

  it('come as files, as a folder or as a zip, and go again', async () => {
    const sounds = join(folder, 'sounds');
    await mkdir(sounds);
    for (const name of names) await writeFile(join(sounds, name), clip);
    await writeFile(join(sounds, 'sounds.csv'), csv);
    await writeFile(join(sounds, '.DS_Store'), 'clutter');
    const zip = join(folder, 'sounds.zip');
    const content = [
      ...names.map((name) => ({ name, content: clip })),
      { name: 's.csv', content: Buffer.from(csv) },
    ];
    await writeFile(zip, zipFile(content));
    const files = [...names, 'sounds.csv'].map((name) => join(sounds, name));
    for (const [name, paths] of [
      ['by-files', files],
      ['by-folder', [sounds]],
      ['by-zip', [zip]],
    ] as const) {
      expect(await earshot('datasets', 'add', name, ...paths)).toMatchObject({
        code: 0,
        lines: [`${name}: 6 clips, 2 classes, 3 folds (bell 3, kettle 3); the folds were made`],
      });
    }
    expect((await earshot('datasets')).lines).toEqual(
      ['by-files', 'by-folder', 'by-zip'].map((name) => `${name}: 6 clips, 2 classes, 3 folds`),
    );
    expect(await earshot('datasets', 'add', 'by-zip', zip)).toMatchObject({ code: 73, lines: [] });
    for (const name of ['by-files', 'by-folder']) await earshot('datasets', 'remove', name);
    expect((await earshot('datasets')).lines).toEqual(['by-zip: 6 clips, 2 classes, 3 folds']);
  });

  it('with problems are refused with 65, and each of them is named', async () => {
    const [bad, other] = [join(folder, 'bad.csv'), join(folder, 'a.wav')];
    await writeFile(bad, 'filename,category\na.wav,bell\nnone.wav,bell\nnor-this.wav,kettle\n');
    await writeFile(other, clip);
    const { code, errors } = await earshot('datasets', 'add', 'bad', bad, other);
    expect(code).toBe(65);
    expect(errors).toContain('none.wav');
    expect(errors).toContain('nor-this.wav');
    expect(await earshot('datasets', 'add', 'bad', join(folder, 'nowhere'))).toMatchObject({
      code: 66,
      errors: `${join(folder, 'nowhere')}: There is no such file or folder.\n`,
    });
  });

  it('and jobs on them: asked for, listed, cancelled', async () => {
    const options = ['--dataset', 'by-zip', '--architecture', 'cnn', '--epochs', '500', '--seed', '7'];
    const asked = await earshot(
      'train',
      '--detach',
      '--test-fold',
      'none',
      '--validation-fold',
      '3',
      ...options,
    );
    const [id] = asked.lines;
    expect(asked).toMatchObject({ code: 0, lines: [expect.stringMatching(/^[\w-]+$/)], errors: '' });
    expect((await earshot('jobs')).lines).toEqual([expect.stringMatching(`^${id}  \\w+  cnn on by-zip`)]);
    expect(await earshot('jobs', 'cancel', id!)).toMatchObject({ code: 0 });
    const { lines } = await earshot('jobs', id!, '--json');
    expect(jobSchema.parse(JSON.parse(lines[0]!))).toMatchObject({
      state: 'cancelled',
      request: {
        seed: 7,
        hyperparameters: { epochs: 500 },
        protocol: { testFold: null, validationFold: 3, crossValidate: false },
      },
    });
    expect(await earshot('jobs', 'follow', id!)).toMatchObject({
      code: 75,
      errors: expect.stringContaining(`earshot jobs resume ${id}`),
    });
    expect(await earshot('train', '--dataset', 'none')).toMatchObject({ code: 64, lines: [] });
  });
});

describe('the key', () => {
  it('is asked for, with 77, where it is not this user’s service', async () => {
    const elsewhere = { ...env, ADMIN_KEY_DIR: join(folder, 'no-keys') };
    const { code, errors } = await runCli(['pin', first], elsewhere);
    expect([code, errors]).toEqual([77, expect.stringContaining('Give one in EARSHOT_API_KEY.')]);
    expect(errors).toContain(elsewhere.ADMIN_KEY_DIR);
    const given = (await service.adminHeaders()).authorization.replace('Bearer ', '');
    expect(await runCli(['pin', first], { ...elsewhere, EARSHOT_API_KEY: given })).toMatchObject({ code: 0 });
    const wrong = await runCli(['unpin', first], { ...env, EARSHOT_API_KEY: 'other' });
    expect([wrong.code, wrong.errors]).toEqual([
      77,
      expect.stringContaining('The key sent is not known here.'),
    ]);
    // What is only read needs none.
    expect(await runCli(['models'], elsewhere)).toMatchObject({ code: 0, errors: '' });
  });

  it('is found by the address that the service listens at, and sent to that address alone', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const server = createServer((req, res) => {
      seen.push(req.headers);
      res.end('{"datasets":[]}');
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const { port } = server.address() as AddressInfo;
    const keys = join(folder, 'keys');
    const key = 'k'.repeat(43);
    const found = async (asked: string): Promise<string | undefined> =>
      (await findKey(asked, [keys]))?.server;
    try {
      for (const [address, reached] of [
        ['127.0.0.1', ['127.0.0.1', 'localhost']],
        ['0.0.0.0', ['127.0.0.1', 'localhost', '127.0.0.9', '0.0.0.0']],
        ['127.0.0.2', ['127.0.0.2', 'localhost']],
      ] as const) {
        await rm(keys, { recursive: true, force: true });
        await writeAdminKey([keys], { address, port }, key);
        const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.9', 'localhost', '0.0.0.0', '[::1]', 'example.org'];
        const known = await Promise.all(
          hosts.map(async (host) => ((await found(`http://${host}:${port}/`)) === undefined ? [] : [host])),
        );
        // 127.0.0.9 and 127.0.0.2 are this machine's as well.
        const expected = hosts.filter(
          (host) =>
            (reached as readonly string[]).includes(host) || (address === '0.0.0.0' && host === '127.0.0.2'),
        );
        expect([address, known.flat()]).toEqual([address, expected]);
      }
      expect(await found(`http://localhost:${port}/below/`)).toBe(`http://127.0.0.2:${port}/below/`);
      expect(await found(`https://127.0.0.2:${port}/`)).toBeUndefined();
      expect(await found(`http://127.0.0.2:${port + 1}/`)).toBeUndefined();

      const ask = (host: string) =>
        runCli(['datasets'], { EARSHOT_SERVER: `http://${host}:${port}`, ADMIN_KEY_DIR: keys });
      // Another program listens where this service does not.
      expect(await ask('127.0.0.1')).toMatchObject({ code: 0 });
      expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
    } finally {
      server.close();
    }
  });
});

it('says how it is used when it is used wrongly, with 64', async () => {
  for (const [args, why] of [
    [['datasets', 'add', 'x'], 'Name the dataset and its files, folder or zip'],
    [['datasets', 'list'], 'datasets does not know list'],
    [['promote'], 'Name the version to promote'],
    [['promote', first, '--waive', 'all'], '--waive all: Invalid option'],
    [['train', 'kitchen'], 'train takes options only'],
    [['train', '--architecture', 'lstm'], '--architecture lstm: Invalid option'],
    [['train', '--test-fold', '0'], '--test-fold 0: Too small'],
    [['jobs', 'cancel'], 'Name the job to cancel'],
    [['pin'], 'Name the version to pin'],
    [['pin', first, '--top', '3'], "Unknown option '--top'"],
  ] as const) {
    const { code, errors } = await runCli(args, env);
    expect([args, code, errors]).toEqual([args, 64, expect.stringContaining(why)]);
    expect(errors).toContain('\n\nearshot classify PATH…');
  }
});
