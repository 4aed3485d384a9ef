import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WindowFormat } from '../../shared/contracts/members';
import { AppError } from '../../shared/errors/app-error';
import { loadDataset, type LoadDatasetOptions } from '../../services/trainer/data/dataset';
import { PcmDecoder, pcmWav } from '../support/pcm-clips';

const format: WindowFormat = { sampleRate: 1000, windowSeconds: 0.008, removesOffset: false };

let root: string;
let decoder: PcmDecoder;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'earshot-dataset-'));
  decoder = new PcmDecoder();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Files by path below the dataset's folder; a list of numbers becomes a WAV file. */
async function lay(files: Readonly<Record<string, string | readonly number[]>>): Promise<string> {
  const folder = path.join(root, 'data');
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, typeof content === 'string' ? content : pcmWav(content, format.sampleRate));
  }
  return folder;
}

function load(folder: string, more: Partial<LoadDatasetOptions> = {}): ReturnType<typeof loadDataset> {
  return loadDataset({ folder, format, decoder, cacheFolder: path.join(root, 'cache'), ...more });
}

async function problemsOf(loading: Promise<unknown>): Promise<readonly string[]> {
  const caught: unknown = await loading.catch((error: unknown) => error);
  expect(caught).toBeInstanceOf(AppError);
  expect((caught as AppError).code).toBe('invalid-dataset');
  const problems = (caught as AppError).details['problems'] as string[];
  problems.forEach((problem) => {
    expect((caught as AppError).message).toContain(problem);
  });
  return problems;
}

/** Three folds of two categories, one clip each, with a sample value that tells them apart. */
const names = ['1-a', '1-b', '2-a', '2-b', '3-a', '3-b'];
const smallCsv = [
  'filename,fold,category',
  ...names.map((name) => `${name}.wav,${name[0]!},${name.endsWith('a') ? 'zebra' : 'ape'}`),
].join('\n');
const smallClips = Object.fromEntries(names.map((name, i) => [`${name}.wav`, [(i + 1) / 16]]));
const inAudio = Object.fromEntries(Object.entries(smallClips).map(([k, v]) => [`audio/${k}`, v]));

describe('loadDataset', () => {
  it('reads a plain folder: classes in alphabetical order, clips by name, as long as they are', async () => {
    const dataset = await load(await lay({ 'list.csv': smallCsv, ...smallClips }));
    expect(dataset.classes).toEqual(['ape', 'zebra']);
    expect(dataset.clips.map(({ filename, fold, label }) => [filename, fold, label])).toEqual([
      ['1-a.wav', 1, 1],
      ['1-b.wav', 1, 0],
      ['2-a.wav', 2, 1],
      ['2-b.wav', 2, 0],
      ['3-a.wav', 3, 1],
      ['3-b.wav', 3, 0],
    ]);
    expect([...dataset.clips[2]!.samples]).toEqual([3 / 16]);
    expect(decoder.requests[0]).toMatchObject({ sampleRate: 1000 });
  });

  it('cuts a recording longer than the window', async () => {
    const long = Array.from({ length: 20 }, (_, i) => i / 32);
    const dataset = await load(await lay({ 'list.csv': smallCsv, ...smallClips, '1-a.wav': long }));
    expect([...dataset.clips[0]!.samples]).toEqual(long.slice(0, 8));
  });

  it('reads the layout of ESC-50, orders classes by target and keeps to ESC-10 when asked', async () => {
    const lines = [1, 2, 3].flatMap((fold) => [
      `${fold}-x-A-12.wav,${fold},12,crackling_fire,True,1,A`,
      `${fold}-x-A-10.wav,${fold},10,rain,True,1,A`,
      `${fold}-x-A-7.wav,${fold},7,rooster,False,1,A`,
    ]);
    const clips = Object.fromEntries(lines.map((line) => [`audio/${line.split(',')[0]!}`, [0.5]]));
    const csv = ['filename,fold,target,category,esc10,src_file,take', ...lines].join('\r\n');
    const folder = await lay({ 'meta/esc50.csv': `\uFEFF${csv}`, 'ATTRIBUTION.csv': 'a,b\n1,2', ...clips });
    expect((await load(folder)).classes).toEqual(['rooster', 'rain', 'crackling_fire']);
    const esc10 = await load(folder, { esc10Only: true });
    expect(esc10.classes).toEqual(['rain', 'crackling_fire']);
    expect(esc10.clips).toHaveLength(6);
  });

  it('finds recordings in audio/ and follows links that the user made', async () => {
    const folder = await lay({ 'list.csv': smallCsv });
    const elsewhere = path.join(root, 'elsewhere');
    await mkdir(elsewhere);
    for (const [name, samples] of Object.entries(smallClips)) {
      await writeFile(path.join(elsewhere, name), pcmWav(samples, 1000));
    }
    await symlink(elsewhere, path.join(folder, 'audio'));
    expect((await load(folder)).clips).toHaveLength(6);
  });

  it('keeps quoted commas and quotes in category names', async () => {
    const csv = smallCsv.replaceAll(',ape', ',"ape, ""great"""');
    const dataset = await load(await lay({ 'list.csv': csv, ...smallClips }));
    expect(dataset.classes).toEqual(['ape, "great"', 'zebra']);
  });

  it('counts every clip of its progress', async () => {
    const seen: string[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): number =>
      seen.push(`${done}/${total}`);
    await load(await lay({ 'list.csv': smallCsv, ...smallClips }), { onProgress });
    expect(seen).toEqual(['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  });
});

describe('the fingerprint', () => {
  it('is the sha256 of every clip’s name, fold, category and content hash, by name', async () => {
    const dataset = await load(await lay({ 'list.csv': smallCsv, ...smallClips }));
    const lines = names.map((name) => {
      const content = createHash('sha256').update(pcmWav(smallClips[`${name}.wav`]!, 1000));
      const category = name.endsWith('a') ? 'zebra' : 'ape';
      return `["${name}.wav",${name[0]!},"${category}","${content.digest('hex')}"]`;
    });
    expect(dataset.fingerprint).toBe(createHash('sha256').update(lines.join('\n')).digest('hex'));
  });

  it('does not depend on the order of the lines, but on everything they say', async () => {
    const [header, ...lines] = smallCsv.split('\n');
    const shuffled = [header, ...lines.reverse()].join('\n');
    const first = await load(await lay({ 'list.csv': smallCsv, ...smallClips }));
    const again = await load(await lay({ 'list.csv': shuffled }));
    expect(again).toEqual(first);
    const changes = [
      { 'list.csv': smallCsv.replaceAll('zebra', 'yak') },
      { 'list.csv': smallCsv.replaceAll(/,3,/g, ',4,') },
      { 'list.csv': smallCsv, '3-b.wav': [0.25] },
    ];
    const others: string[] = [];
    for (const change of changes) others.push((await load(await lay(change))).fingerprint);
    expect(new Set([first.fingerprint, ...others]).size).toBe(4);
  });
});

describe('the cache of decoded clips', () => {
  it('spares the decoder a second time, and gives the same clips', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    const first = await load(folder);
    expect(decoder.requests).toHaveLength(6);
    const second = await load(folder);
    expect(decoder.requests).toHaveLength(6);
    expect(second).toEqual(first);
    expect((await readdir(path.join(root, 'cache'))).every((name) => name.endsWith('.f32'))).toBe(true);
  });

  it('decodes again what has another content, rate or window', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    await load(folder);
    await lay({ '2-a.wav': [0.75] });
    expect((await load(folder)).clips[2]!.samples[0]).toBe(0.75);
    expect(decoder.requests).toHaveLength(7);
    await load(folder, { format: { ...format, windowSeconds: 0.016 } });
    expect(decoder.requests).toHaveLength(13);
    await load(folder, { format: { ...format, sampleRate: 2000, windowSeconds: 0.004 } });
    expect(decoder.requests).toHaveLength(19);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a bit is flipped', (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes.at(-1)! ^ 1)])],
    ['the file is cut short', (bytes) => bytes.subarray(0, 20)],
    ['the file is empty', () => Buffer.alloc(0)],
  ])('notices when %s, and repairs it', async (_, damage) => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    const first = await load(folder);
    const cached = path.join(root, 'cache', (await readdir(path.join(root, 'cache')))[0]!);
    await writeFile(cached, damage(await readFile(cached)));
    expect(await load(folder)).toEqual(first);
    expect(decoder.requests).toHaveLength(7);
    await load(folder);
    expect(decoder.requests).toHaveLength(7);
  });

  it('says so when the folder cannot be written', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    const cacheFolder = path.join(folder, 'list.csv', 'cache');
    await expect(load(folder, { cacheFolder })).rejects.toMatchObject({
      code: 'invalid-configuration',
      message: expect.stringContaining('choose another cache folder'),
    });
  });
});

describe('a dataset with problems', () => {
  it('has all of them listed at once, before anything is trained', async () => {
    const csv = [
      'filename,fold,target,category',
      '1-a.wav,1,0,ape',
      '1-b.wav,1,1,bee',
      '2-a.wav,2,0,ape',
      '2-b.wav,2,1,bee',
      '3-a.wav,3,0,ape',
      '3-b.wav,3,1,bee',
      'gone.wav,3,1,bee',
      'broken.wav,3,1,bee',
      'half.wav,2.5,1,bee',
      'zero.wav,0,1,bee',
      'unnamed.wav,1,1,',
      '1-a.wav,2,0,ape',
      '../secret.wav,1,0,ape',
      '/etc/passwd,1,0,ape',
      ',1,0,ape',
      'text.wav,1,one,bee',
      'short.wav,1',
      'cat.wav,1,1,cat',
    ].join('\n');
    const folder = await lay({
      'c.csv': csv,
      ...inAudio,
      'audio/broken.wav': 'no audio',
      '../secret.wav': [0.1],
    });
    await lay({ 'audio/cat.wav': [0.1] });
    expect(await problemsOf(load(folder))).toEqual([
      'c.csv line 10: expected the fold as a whole number from 1 up, got "2.5"',
      'c.csv line 11: expected the fold as a whole number from 1 up, got "0"',
      'c.csv line 12: the category is empty',
      'c.csv line 13: 1-a.wav is already listed in line 2',
      "c.csv line 14: ../secret.wav leads out of the dataset's folder",
      "c.csv line 15: /etc/passwd is not in the dataset's folder; write names relative to it",
      'c.csv line 16: the filename is empty',
      'c.csv line 17: expected the target as a whole number from 0 up, got "one"',
      'c.csv line 18: expected 4 fields as in the header, got 2',
      'target 1 is given to both bee and cat',
      'gone.wav is missing',
      'broken.wav: This is not audio.',
    ]);
  });

  it.each([
    ['a category with two targets', 'f.wav,1,0,ape\ng.wav,1,1,ape', 'category ape has several targets: 0, 1'],
    ['a single category', 'f.wav,1,0,ape', 'expected 2 to 1000 categories, got 1: ape'],
    [
      'fewer than three folds',
      'f.wav,1,0,ape',
      'expected at least 3 folds (training, validation, test), got 1',
    ],
    ['no clips at all', '', 'c.csv lists no recordings; a line for each is expected below its first line'],
  ])('is refused for %s', async (_, lines, problem) => {
    const clips = { 'f.wav': [0.5], 'g.wav': [0.25] };
    const folder = await lay({ 'c.csv': `filename,fold,target,category\n${lines}`, ...clips });
    expect(await problemsOf(load(folder))).toContain(problem);
  });

  it.each<[string, Record<string, string>, Partial<LoadDatasetOptions>, RegExp]>([
    ['no CSV', { 'a.txt': '' }, {}, /^there is no CSV file; add one with the columns filename and category/],
    [
      'no CSV with the columns',
      { 'a.csv': 'x,y\n1,2' },
      {},
      /^no CSV file has the columns filename and category: a\.csv has x, y$/,
    ],
    [
      'two CSVs to choose from',
      { 'a.csv': smallCsv, 'b.csv': smallCsv },
      {},
      /several CSV files.*a\.csv, b\.csv; keep one/,
    ],
    ['a CSV that is not there', { 'a.csv': smallCsv }, { csv: 'z.csv' }, /z\.csv cannot be read/],
    [
      'a named CSV without a column',
      { 'a.csv': 'filename,fold\n' },
      { csv: 'a.csv' },
      /a\.csv has no column category/,
    ],
    [
      'no column esc10 to choose by',
      { 'a.csv': smallCsv },
      { esc10Only: true },
      /a\.csv has no column esc10/,
    ],
    ['an unclosed quote', { 'a.csv': `${smallCsv}\n"x` }, { csv: 'a.csv' }, /a\.csv is no valid CSV/],
  ])('is refused for %s', async (_, files, options, problem) => {
    const problems = await problemsOf(load(await lay(files), options));
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });

  it('is refused when its folder does not exist', async () => {
    expect(await problemsOf(load(path.join(root, 'nowhere')))).toEqual([expect.stringMatching(/ENOENT/)]);
  });

  it('shows the first 200 problems and counts the rest', async () => {
    const lines = Array.from({ length: 252 }, (_, i) => `clip${i}.wav,none,ape`);
    const folder = await lay({ 'c.csv': ['filename,fold,category', ...lines].join('\n') });
    const caught = (await load(folder).catch((error: unknown) => error)) as AppError;
    expect(caught.details['problems']).toHaveLength(200);
    expect(caught.details['problemCount']).toBe(252);
    expect(caught.message.split('\n  - ')).toHaveLength(201);
    expect(caught.message).toMatch(/has 252 problems:.*… and 52 more$/s);
  });

  it('names a file that is too large to be a clip, without reading it', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    await truncate(path.join(folder, '2-a.wav'), 3 * 2 ** 30);
    expect(await problemsOf(load(folder))).toEqual(['2-a.wav is larger than 536870912 bytes']);
  });

  it('does not blame the data when the decoder itself fails', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    decoder.decode = () => Promise.reject(new AppError('internal', 'The thread died.'));
    await expect(load(folder)).rejects.toMatchObject({ code: 'internal', message: 'The thread died.' });
  });

  it('begins nothing when it is already cancelled', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    await expect(load(folder, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(decoder.requests).toEqual([]);
  });

  it('stops when it is cancelled on the way, and has passed the signal to the decoder', async () => {
    const folder = await lay({ 'list.csv': smallCsv, ...smallClips });
    const controller = new AbortController();
    const { signal } = controller;
    decoder.decode = (_, request) => {
      expect(request.signal).toBe(signal);
      controller.abort();
      return Promise.reject(new AppError('cancelled', 'The decoder was cancelled.'));
    };
    await expect(load(folder, { signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});
