import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import {
  datasetDetailsSchema,
  type DatasetDetails,
  type DatasetList,
} from '../../../shared/contracts/dataset';
import { problemSchema, type Problem } from '../../../shared/contracts/problem';
import { FakeJobQueue } from '../../support/fake-job-queue';
import { RawConnection } from '../../support/raw-connection';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { zipFile, type ZipEntry } from '../../support/zip-file';

let folder: string;
let harness: Harness;
let jobs: FakeJobQueue;
const maxBytes = 400_000;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-datasets-'));
  jobs = new FakeJobQueue();
  harness = await startHarness({ jobs, datasets: { folder, maxBytes, maxFiles: 40 } });
});
afterEach(async () => {
  await stopHarness(harness);
  await rm(folder, { recursive: true });
});

const url = (path: string): string => `http://127.0.0.1:${harness.port}${path}`;
const names = Array.from({ length: 6 }, (_, k) => `${k % 2 ? 'bell' : 'kettle'}-${k}.wav`);
const csvOf = (list: readonly string[]): string =>
  ['filename,category', ...list.map((name) => `${name},${name.split('-')[0]!}`)].join('\n');

/** As a browser or curl would send it; the harness's decoder takes texts such as `1 1` for sound. */
function form(files: Readonly<Record<string, string | Uint8Array>>): FormData {
  const data = new FormData();
  for (const [name, content] of Object.entries(files))
    data.append('file', new Blob([typeof content === 'string' ? content : new Uint8Array(content)]), name);
  return data;
}

const goodFiles = { ...Object.fromEntries(names.map((name) => [name, '1 1'])), 'sounds.csv': csvOf(names) };
const upload = (body: FormData | Buffer, name = 'mine'): Promise<Response> =>
  fetch(url(`/datasets?name=${name}`), {
    method: 'POST',
    ...(body instanceof FormData
      ? { body }
      : { body: new Uint8Array(body), headers: { 'content-type': 'application/zip' } }),
  });
const problemOf = async (response: Response): Promise<Problem> => problemSchema.parse(await response.json());

async function detailsOf(name: string): Promise<DatasetDetails> {
  return datasetDetailsSchema.parse(await (await fetch(url(`/datasets/${name}`))).json());
}

/** Once every clip has been decoded. */
async function checked(name: string): Promise<DatasetDetails> {
  for (;;) {
    const details = await detailsOf(name);
    if (details.check.state === 'done') return details;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const textEntry = (name: string, content: string, more: Partial<ZipEntry> = {}): ZipEntry => ({
  name,
  content: Buffer.from(content),
  ...more,
});
const goodEntries = [
  ...names.map((name) => textEntry(`my sounds/audio/${name}`, '1 1')),
  textEntry('my sounds/list.csv', csvOf(names)),
];

describe('POST /datasets', () => {
  it('takes a form of recordings and a CSV, makes folds, and tells what it holds', async () => {
    const response = await upload(form(goodFiles));
    expect([response.status, response.headers.get('location')]).toEqual([201, '/datasets/mine']);
    const details = await checked('mine');
    expect(details).toMatchObject({ name: 'mine', clips: 6, classCount: 2, foldCount: 3, foldsMade: true });
    expect(details.classes).toEqual([
      { name: 'bell', clips: 3, folds: { 1: 1, 2: 1, 3: 1 } },
      { name: 'kettle', clips: 3, folds: { 1: 1, 2: 1, 3: 1 } },
    ]);
    expect(details).toMatchObject({ problems: [], problemCount: 0, check: { checked: 6 } });
    expect(await readdir(folder)).toEqual(['mine']);
    expect(await readFile(join(folder, 'mine', names[0]!), 'utf8')).toBe('1 1');
  });

  it.each([
    ['as a body', () => zipFile(goodEntries)],
    ['in a form', () => form({ 'sounds.zip': zipFile(goodEntries) })],
    [
      'deflated, with what macOS adds',
      () =>
        zipFile([
          ...goodEntries.map((entry) => ({ ...entry, deflate: true })),
          textEntry('__MACOSX/my sounds/._list.csv', 'x'),
          textEntry('my sounds/.DS_Store', 'x'),
        ]),
    ],
  ])('takes a zip %s', async (_, make) => {
    expect((await upload(make())).status).toBe(201);
    expect(await checked('mine')).toMatchObject({ clips: 6, problemCount: 0 });
    expect((await readdir(join(folder, 'mine'))).sort()).toEqual(['audio', 'list.csv']);
  });

  /**
   * Names as systems and programs write them into forms and archives, and none of which anybody misses.
   */
  const odd: [string, Record<string, string>][] = [
    ['a folder around everything', prefixed('kitchen/')],
    ['folders below it', prefixed('kitchen/audio/', 'kitchen/')],
    ['the layout of ESC-50', prefixed('audio/', 'meta/')],
    ['names that begin with a point and a slash', prefixed('./')],
    ['backslashes', prefixed('kitchen\\')],
    ['a README beside a folder', { ...prefixed('kitchen/'), 'README.md': 'x' }],
    ['recordings in a folder of any name', prefixed('takes of march/', '')],
    [
      'what systems put beside files',
      {
        ...prefixed('kitchen/'),
        'kitchen/.DS_Store': 'x',
        '__MACOSX/kitchen/._a.wav': 'x',
        'kitchen/Thumbs.db': 'x',
        'kitchen/._sounds.csv': 'x',
      },
    ],
    [
      'times of day in names',
      {
        ...Object.fromEntries(names.map((_, k) => [`2026-08-15-birdnet-21:10:5${k}.wav`, `1 ${k}`])),
        'sounds.csv': `filename,category\n${names.map((name, k) => `2026-08-15-birdnet-21:10:5${k}.wav,${name.split('-')[0]!}`).join('\n')}`,
      },
    ],
    [
      'names that macOS decomposes',
      {
        ...Object.fromEntries(names.map((_, k) => [`bru\u0308he-${k}.wav`, `1 ${k}`])),
        'sounds.csv': `filename,category\n${names.map((name, k) => `br\u00fche-${k}.wav,${name.split('-')[0]!}`).join('\n')}`,
      },
    ],
  ];
  function prefixed(prefix: string, csvPrefix = prefix): Record<string, string> {
    const clips = Object.fromEntries(names.map((name, k) => [`${prefix}${name}`, `1 ${k}`]));
    return { ...clips, [`${csvPrefix}sounds.csv`]: csvOf(names) };
  }
  it.each(odd)('takes %s in a form and in a zip alike', async (_, files) => {
    const zip = zipFile(Object.entries(files).map(([name, content]) => textEntry(name, content)));
    const answers: DatasetDetails[] = [];
    for (const [name, body] of [
      ['as-form', form(files)],
      ['as-zip', zip],
    ] as const) {
      const response = await upload(body, name);
      expect([response.status, await response.clone().text()]).toEqual([201, expect.anything()]);
      answers.push({ ...datasetDetailsSchema.parse(await response.json()), name: '' });
    }
    const { clips, problems, warnings } = answers[0]!;
    expect([clips, problems, warnings]).toEqual([6, [], []]);
    expect({ ...answers[1], check: null }).toEqual({ ...answers[0], check: null });
    const kept = await readdir(join(folder, 'as-zip'), { recursive: true });
    expect(kept.sort()).toEqual((await readdir(join(folder, 'as-form'), { recursive: true })).sort());
    expect(kept.filter((name) => /DS_Store|MACOSX|\._|Thumbs/.test(name))).toEqual([]);
  });

  /** A form as programs write it that give some parts no file's name. */
  const rawForm = (parts: readonly (readonly [head: string, content: string])[]): Promise<Response> => {
    const body = parts.map(
      ([head, content]) => `--B\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`,
    );
    return fetch(url('/datasets/?name=mine'), {
      method: 'POST',
      body: `${body.join('')}--B--\r\n`,
      headers: { 'content-type': 'multipart/form-data; boundary=B' },
    });
  };
  const parts = names.map((name) => [`name="f"; filename="${name}"`, '1 1'] as const);

  it.each([
    ['text', 'name="sounds.csv"'],
    ['text with a type', 'name="sounds.csv"\r\nContent-Type: text/csv; charset=utf-8'],
    ['bytes', 'name="sounds.csv"\r\nContent-Type: application/octet-stream'],
    [
      'bytes with an empty file name',
      'name="sounds.csv"; filename=""\r\nContent-Type: application/octet-stream',
    ],
  ])('takes a part without a file name by its own: %s', async (_, head) => {
    const csv = csvOf(names).replaceAll('bell', 'Glöckchen').replaceAll('Glöckchen-', 'bell-');
    const response = await rawForm([...parts, [head, csv]]);
    expect([response.status, await response.clone().text()]).toEqual([
      201,
      expect.stringContaining('Glöckchen'),
    ]);
  });

  it.each([
    ['text', 'name="list"'],
    ['bytes', 'name="list"\r\nContent-Type: application/octet-stream'],
  ])('says that a part without any name of a file needs one: %s', async (_, head) => {
    const response = await rawForm([...parts, [head, csvOf(names)]]);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).detail).toContain(
      'has a part "list" that is no file: give each file its name',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('takes names of an archive that does not say that they are UTF-8', async () => {
    const files = names.map((_, k) => textEntry(`größe-${k}.wav`, `1 ${k}`, { withoutUtf8Flag: true }));
    const lines = names.map((name, k) => `größe-${k}.wav,${name.split('-')[0]!}`);
    const csv = textEntry('list.csv', ['filename,category', ...lines].join('\n'));
    expect((await upload(zipFile([...files, csv]))).status).toBe(201);
    expect(await readdir(join(folder, 'mine'))).toContain('größe-0.wav');
  });

  it('says that the same recording is in several folds', async () => {
    const response = await upload(form({ ...goodFiles, [names[0]!]: '1 0.5', [names[2]!]: '1 0.5' }));
    expect(response.status).toBe(201);
    const { warnings, problemCount } = datasetDetailsSchema.parse(await response.json());
    // The other four are the same, too.
    expect(warnings).toEqual([
      expect.stringMatching(/^kettle-0\.wav and kettle-2\.wav are the same recording, in folds \d and \d: /),
      expect.stringMatching(
        /^bell-1\.wav and .* are the same recording, there 4 times, in folds \d and \d: /,
      ),
    ]);
    expect(problemCount).toBe(0);
  });

  it('tells what is wrong in one sentence, and what to do', async () => {
    const details: string[] = [];
    for (const csv of ['File,Label\na.wav,bell', csvOf(names).replaceAll(',bell', ',Silence')]) {
      const response = await upload(form({ ...goodFiles, 'sounds.csv': csv }));
      expect(response.status).toBe(422);
      details.push((await problemOf(response)).detail);
    }
    expect(details).toEqual([
      'The dataset has a problem: no CSV file has the columns filename and category: sounds.csv has File, Label.',
      expect.stringMatching(/^The dataset has a problem: the category Silence is reserved: .*; rename it/),
    ]);
  });

  it('works while a list is read that takes long, and reads it once for all who ask', async () => {
    // Classes times folds, and lines: each of them once held the event loop up for ten seconds.
    const pairs = Array.from({ length: 20_000 }, (_, k) => `${k},${k},${k + 1}`).join('\n');
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const wide = await upload(form({ 'a.csv': `filename,category,fold\n${pairs}` }));
    expect([wide.status, (await problemOf(wide)).problems!.length]).toEqual([422, 3]);
    await mkdir(join(folder, 'large'));
    await writeFile(join(folder, 'large', 'a.csv'), `filename,category\n${'a,b\n'.repeat(1_500_000)}`);
    const told = await Promise.all([detailsOf('large'), detailsOf('large'), detailsOf('large')]);
    delay.disable();
    const [first] = told;
    expect(new Set(told.map((details) => JSON.stringify(details))).size).toBe(1);
    expect(first.problems[0]).toBe('a.csv has more than 100000 lines');
    expect([first.problemCount, first.problems.length]).toEqual([100_001, 200]);
    expect(delay.max / 1e6).toBeLessThan(1000);
  });

  const clips = (count: number, category: string): string[] =>
    Array.from({ length: count }, (_, k) => `${category}-${k}.wav`);
  it.each([
    ['one class only', clips(6, 'bell'), 'expected 2 to 1000 categories, got 1: bell'],
    [
      'too few clips of a class',
      [...clips(5, 'bell'), ...clips(2, 'kettle')],
      'category kettle has clips of 2 sources',
    ],
    ['no clips', [], 'a.csv lists no recordings'],
  ])('refuses %s with 422 and every problem, and keeps nothing', async (_, list, message) => {
    const response = await upload(
      form({ ...Object.fromEntries(list.map((name) => [name, '1 1'])), 'a.csv': csvOf(list) }),
    );
    expect(response.status).toBe(422);
    const problem = await problemOf(response);
    expect(problem.code).toBe('invalid-dataset');
    expect(problem.problems!.map((found) => found.message).join('\n')).toContain(message);
    expect(JSON.stringify(problem)).not.toContain(folder);
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses recordings that the CSV names and nobody sent', async () => {
    const response = await upload(form({ 'sounds.csv': csvOf(names), [names[0]!]: '1 1' }));
    expect(response.status).toBe(422);
    expect((await problemOf(response)).problems).toContainEqual({
      at: 'dataset',
      message: `${names[1]!} is missing`,
    });
  });

  it('finds clips that cannot be decoded', async () => {
    expect((await upload(form({ ...goodFiles, [names[2]!]: 'undecodable-audio' }))).status).toBe(201);
    expect((await checked('mine')).problems).toEqual([`${names[2]!}: Failed with undecodable-audio.`]);
  });

  it.each([
    ['a path out', '../evil.wav', 'leads out of the folder'],
    ['an absolute path', '/etc/evil.wav', 'it is absolute'],
    ['a backslash', 'a\\..\\evil.wav', 'leads out of the folder'],
    ['a drive', 'C:\\fakepath\\evil.wav', 'it is absolute'],
    ['a device', 'aux.wav', 'means a device'],
    ['a blank at its end', 'evil.wav ', 'a point or a blank'],
    ['an archive', 'more.tar.gz', 'not unpacked'],
    ['too long a name', `${'x'.repeat(250)}.wav`, 'longer than 200 bytes'],
  ])('refuses %s in a form', async (_, name, reason) => {
    const response = await upload(form({ ...goodFiles, [name]: '1 1' }));
    expect(response.status).toBe(400);
    expect((await problemOf(response)).detail).toContain(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  const bomb = Buffer.alloc(300_000);
  it.each<[string, () => ZipEntry[], string]>([
    ['a path out', () => [textEntry('../evil.wav', 'x')], 'leads out of the folder'],
    ['an absolute path', () => [textEntry('/evil.wav', 'x')], 'leads out of the folder'],
    ['a backslash path out', () => [textEntry('..\\evil.wav', 'x')], 'leads out of the folder'],
    ['a link', () => [textEntry('link.wav', '/etc/passwd', { mode: 0o120_777 })], 'is a link'],
    ['a device file', () => [textEntry('tty.wav', '', { mode: 0o020_666 })], 'is a link or no plain file'],
    ['a device name', () => [textEntry('my sounds/NUL.wav', 'x')], 'means a device'],
    ['an archive', () => [textEntry('inner.zip', 'x')], 'not unpacked'],
    ['a name twice', () => [textEntry('my sounds/audio/bell-1.wav', 'x')], 'bell-1.wav is there twice'],
    [
      'names that differ in case alone',
      () => [textEntry('my sounds/audio/BELL-1.wav', 'x')],
      'bell-1.wav and my sounds/audio/BELL-1.wav are one file on other systems',
    ],
    ['a file that is a folder too', () => [textEntry('my sounds/audio', 'x')], 'both a file and a folder'],
    ['a control character', () => [textEntry('e\u0001vil.wav', 'x')], 'a control character'],
    [
      'an encrypted file',
      () => [textEntry('secret.wav', 'x', { encrypted: true, deflate: true })],
      'encrypted',
    ],
    ['overlapping files', () => [textEntry('again.wav', '1 1', { sharesBytesOf: 0 })], 'overlaps'],
    [
      'too much in all',
      () => [0, 1].map((k) => ({ name: `${k}.wav`, content: bomb, deflate: true })),
      'holds more than',
    ],
    [
      'more than it says',
      () => [{ name: 'liar.wav', content: bomb, deflate: true, claimedBytes: 10 }],
      'too many bytes',
    ],
    [
      'less than it says',
      () => [{ name: 'liar.wav', content: bomb, deflate: true, claimedBytes: 300_001 }],
      'not enough bytes',
    ],
    ['too many files', () => clips(41, 'x').map((name) => textEntry(name, 'x')), 'more than 40 files'],
  ])('refuses a zip with %s', async (_, extra, reason) => {
    const response = await upload(zipFile([...goodEntries, ...extra()]));
    expect(response.status).toBe(400);
    expect((await problemOf(response)).detail).toContain(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  it.each<[string, () => FormData | Buffer, number]>([
    ['nothing at all', () => new FormData(), 400],
    ['no archive', () => randomBytes(500), 400],
    ['a cut archive', () => zipFile(goodEntries).subarray(0, -30), 400],
    [
      'a damaged archive',
      () => Buffer.from(zipFile(goodEntries).toString('latin1').replace('1 1', '2 1'), 'latin1'),
      400,
    ],
    ['both', () => form({ ...goodFiles, 'sounds.zip': zipFile(goodEntries) }), 400],
    ['two of a name', () => form({ ...goodFiles, [names[0]!.toUpperCase()]: '1 1' }), 400],
    ['too many bytes', () => form({ ...goodFiles, 'long.wav': Buffer.alloc(maxBytes) }), 413],
    ['too many files', () => form(Object.fromEntries(clips(41, 'x').map((name) => [name, '1']))), 413],
  ])('refuses %s, and keeps nothing', async (_, make, status) => {
    expect((await upload(make())).status).toBe(status);
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a name that is taken before a file is read, and bad names', async () => {
    await mkdir(join(folder, 'mine'));
    expect((await upload(form(goodFiles))).status).toBe(409);
    for (const bad of ['Mine', '..', '.hidden', 'a%2Fb', ''])
      expect((await upload(form(goodFiles), bad)).status).toBe(400);
    expect((await fetch(url('/datasets'), { method: 'POST', body: form(goodFiles) })).status).toBe(400);
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect((await fetch(url('/datasets?name=x'), json)).status).toBe(415);
  });

  it('lets one of two at once win', async () => {
    const statuses = (await Promise.all([1, 2, 3].map(() => upload(form(goodFiles))))).map(
      ({ status }) => status,
    );
    expect(statuses.sort()).toEqual([201, 409, 409]);
    expect(await readdir(folder)).toEqual(['mine']);
  });

  it('keeps nothing of an upload that breaks off', async () => {
    const connection = await half();
    connection.hangUp();
    await expectNothing();
  });

  it('does not wait for an upload that is still coming when it shuts down', async () => {
    const connection = await half();
    void harness.admission.drain();
    expect(await connection.until('draining')).toContain('503 Service Unavailable');
    await expectNothing();
    connection.hangUp();
  });

  /** Sends the half of an upload; resolves when its first bytes are on the disk. */
  async function half(): Promise<RawConnection> {
    const connection = new RawConnection(harness.port);
    const head = [
      'POST /datasets?name=mine HTTP/1.1',
      `Host: 127.0.0.1:${harness.port}`,
      'Content-Length: 5000',
    ];
    await connection.send(
      `${[...head, 'Content-Type: application/zip', '', ''].join('\r\n')}${'x'.repeat(2000)}`,
    );
    for (;;) {
      const [scratch] = await readdir(folder);
      const archive = await readFile(join(folder, String(scratch), 'archive.zip')).catch(() =>
        Buffer.alloc(0),
      );
      if (archive.length > 0) return connection;
    }
  }
  async function expectNothing(): Promise<void> {
    while ((await readdir(folder)).length > 0) await new Promise((resolve) => setImmediate(resolve));
    expect((await fetch(url('/datasets/mine'))).status).toBe(404);
  }
});

describe('datasets', () => {
  it('may be put into the folder by hand, linked ones too', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'earshot-hand-'));
    for (const [name, content] of Object.entries(goodFiles)) await writeFile(join(elsewhere, name), content);
    await symlink(elsewhere, join(folder, 'hand'));
    await mkdir(join(folder, 'empty'));
    await checked('hand');
    expect(await (await fetch(url('/datasets'))).json()).toEqual({
      datasets: [
        { name: 'empty', clips: 0, classCount: 0, foldCount: 0, problemCount: 1 },
        { name: 'hand', clips: 6, classCount: 2, foldCount: 3, problemCount: 0 },
      ],
    });
    expect((await fetch(url('/datasets/hand'), { method: 'DELETE' })).status).toBe(204);
    expect((await readdir(elsewhere)).length).toBe(7);
    await rm(elsewhere, { recursive: true });
  });

  it('are listed as they are now, once they have changed', async () => {
    for (const name of ['first', 'second']) {
      await mkdir(join(folder, name));
      for (const [file, content] of Object.entries(goodFiles))
        await writeFile(join(folder, name, file), content);
    }
    // As if they had been there for a while: what changed just now might change again unnoticed.
    await setTimeout(2100);
    const listed = async (): Promise<number[]> => {
      const { datasets } = (await (await fetch(url('/datasets'))).json()) as DatasetList;
      return datasets.map(({ clips }) => clips);
    };
    await Promise.all([checked('first'), checked('second')]);
    expect(await listed()).toEqual([6, 6]);
    const more = [...names, 'kettle-9.wav'];
    await writeFile(join(folder, 'second', 'kettle-9.wav'), '1 1');
    await writeFile(join(folder, 'second', 'sounds.csv'), csvOf(more));
    expect(await listed()).toEqual([6, 7]);
    await rm(join(folder, 'first', names[0]!));
    const { datasets } = (await (await fetch(url('/datasets'))).json()) as DatasetList;
    expect(datasets.map(({ problemCount }) => problemCount)).toEqual([1, 0]);
  });

  it('that cannot be kept are the service’s own fault, with its cause in the log', async () => {
    await rm(folder, { recursive: true });
    await writeFile(folder, 'a file is in the way');
    const refused = await upload(form(goodFiles));
    expect([refused.status, (await problemOf(refused)).code]).toEqual([502, 'unreachable']);
    const faults = harness.logLines.filter((line) => 'err' in line).map((line) => JSON.stringify(line));
    expect(faults).toContainEqual(expect.stringContaining('ENOTDIR: not a directory, scandir'));
  });

  it('are deleted unless a job trains on them', async () => {
    await upload(form(goodFiles));
    const job = { kind: 'train', architecture: 'cnn', dataset: 'mine' };
    const headers = { 'content-type': 'application/json' };
    const submitted = await fetch(url('/jobs'), { method: 'POST', body: JSON.stringify(job), headers });
    expect(submitted.status).toBe(202);
    const refused = await fetch(url('/datasets/mine'), { method: 'DELETE' });
    expect([refused.status, (await problemOf(refused)).detail]).toEqual([
      409,
      expect.stringContaining('job-1'),
    ]);
    jobs.change('job-1', { state: 'finished' });
    expect((await fetch(url('/datasets/mine'), { method: 'DELETE' })).status).toBe(204);
    expect(await readdir(folder)).toEqual([]);
    expect((await fetch(url('/datasets/mine'), { method: 'DELETE' })).status).toBe(404);
  });
});
