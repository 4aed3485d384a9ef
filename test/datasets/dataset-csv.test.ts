import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { classesOf } from '../../shared/datasets/dataset-classes';
import { readDatasetCsv, type DatasetListing } from '../../shared/datasets/dataset-csv';
import type { AppError } from '../../shared/errors/app-error';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-csv-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Recordings by their names, their classes by the name's first letter: a is an ape's, z a zebra's. */
const clips = ['a1.wav', 'a2.wav', 'a3.wav', 'z1.wav', 'z2.wav', 'z3.wav'];
const classOf = (name: string): string => (name.startsWith('a') ? 'ape' : 'zebra');

async function lay(files: Readonly<Record<string, string | Buffer>>): Promise<DatasetListing> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return readDatasetCsv(folder);
}

const filesOf = (names: readonly string[], prefix = ''): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`${prefix}${name}`, name]));
const csvOf = (line: (name: string, at: number) => string, header = 'filename,category'): string =>
  [header, ...clips.map(line)].join('\n');
const plain = csvOf((name) => `${name},${classOf(name)}`);
const commas = (text: string, separator: string): string => text.replaceAll(',', separator);

function problemsOf(listing: DatasetListing): string[] {
  return [listing.problems, classesOf(listing).problems, listing.missing].flatMap(({ shown }) => shown);
}

describe('a CSV', () => {
  it.each<[string, string | Buffer]>([
    ['with semicolons', commas(plain, ';')],
    ['with tabs', commas(plain, '\t')],
    ['with bars', commas(plain, '|')],
    ['with a separator that it names', `sep=;\r\n${commas(plain, ';')}`],
    ['with a mark and a separator that it names', `\ufeff"sep=;"\r\n${commas(plain, ';')}`],
    ['of a spreadsheet: UTF-16LE with tabs', Buffer.from(`\ufeff${commas(plain, '\t')}\r\n`, 'utf16le')],
    ['with lines that end in CR', plain.replaceAll('\n', '\r')],
    ['with capitals', plain.replace('filename,category', 'Filename,CATEGORY')],
    ['with blanks in its header', plain.replace('filename,category', ' File Name , Category ')],
    ['with quotes', csvOf((name) => `"${name}" , "${classOf(name)}"`, '"filename","category"')],
    [
      'with columns in another order, and more',
      csvOf((name) => `${classOf(name)},"a,b",${name}`, 'category,notes,filename'),
    ],
    ['with empty columns at its end', csvOf((name) => `${name},${classOf(name)},,`, 'filename,category,,')],
    ['with separators at the ends of lines alone', csvOf((name) => `${name},${classOf(name)},,`)],
    ['with last cells left away', csvOf((name) => `${name},${classOf(name)}`, 'filename,category,source')],
    ['with blank lines', `\n,\n${plain.replaceAll('\n', '\n\n;\n').replaceAll(';', ',')}\n\n`],
    [
      'with quoted lines in a column of its own',
      csvOf((name) => `${name},${classOf(name)},"a\nb"`, 'filename,category,notes'),
    ],
    ['with folders in front', csvOf((name) => `audio/${name},${classOf(name)}`)],
    ['with backslashes', csvOf((name) => `audio\\${name},${classOf(name)}`)],
    ['with a point in front', csvOf((name) => `./${name},${classOf(name)}`)],
    ['with paths of Windows', csvOf((name) => `C:\\Users\\me\\kitchen\\audio\\${name},${classOf(name)}`)],
    ['with paths of a share', csvOf((name) => `\\\\nas\\sound\\${name},${classOf(name)}`)],
    ['with absolute paths', csvOf((name) => `/home/me/kitchen/${name},${classOf(name)}`)],
    ['with other capitals in names', csvOf((name) => `${name.toUpperCase()},${classOf(name)}`)],
  ])('%s is read', async (_, csv) => {
    const listing = await lay({ ...filesOf(clips, 'audio/'), 'list.csv': csv });
    expect(problemsOf(listing)).toEqual([]);
    expect(listing.rows.map(({ file, category }) => [file, category])).toEqual(
      clips.map((name) => [`audio/${name}`, classOf(name)]),
    );
  });

  it.each<[string, string]>([
    ['1.0', csvOf((name, at) => `${name},${classOf(name)},${(at % 3) + 1}.0`, 'filename,category,fold')],
    [
      '1,0 with semicolons',
      csvOf((name, at) => `${name};${classOf(name)};${(at % 3) + 1},0`, 'filename;category;fold'),
    ],
    ['1.', csvOf((name, at) => `${name},${classOf(name)},${(at % 3) + 1}.`, 'filename,category,fold')],
  ])('may have folds as %s', async (_, csv) => {
    const { rows, problems, foldsMade } = await lay({ ...filesOf(clips), 'list.csv': csv });
    expect([problems.shown, foldsMade]).toEqual([[], false]);
    expect(rows.map(({ fold }) => fold)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('has no folds where its column is empty', async () => {
    const csv = csvOf((name) => `${name},${classOf(name)},`, 'filename,category,fold');
    expect(await lay({ ...filesOf(clips), 'list.csv': csv })).toMatchObject({ foldsMade: true });
  });

  it('in Windows-1252 is read, and warned of', async () => {
    const bytes = Buffer.from(plain.replaceAll('ape', 'Käfer'), 'latin1');
    const listing = await lay({ ...filesOf(clips), 'list.csv': bytes });
    expect(classesOf(listing).classes).toEqual(['Käfer', 'zebra']);
    expect(listing.warnings).toEqual([expect.stringContaining('Windows-1252')]);
  });

  it('is found below, and beside others', async () => {
    const files = { ...filesOf(clips, 'data/kitchen/clips/'), 'data/kitchen/meta/list.csv': plain };
    const listing = await lay({ ...files, 'other.csv': 'x,y\n1,2', 'README.md': 'x' });
    expect([listing.csvName, problemsOf(listing)]).toEqual(['data/kitchen/meta/list.csv', []]);
  });

  it('says in names what classes are, composed or not', async () => {
    const csv = csvOf((name, at) => `${name},${at % 2 ? 'Ba\u0308r' : ' B\u00e4r'}`);
    const listing = await lay({
      ...filesOf(clips),
      'list.csv': csv.replaceAll('z1.wav,Ba\u0308r', 'z1.wav,b\u00e4r'),
    });
    expect(classesOf(listing)).toMatchObject({
      classes: ['B\u00e4r', 'b\u00e4r'],
      warnings: ['the categories Bär, bär differ in case or in the form of letters alone'],
    });
  });
});

describe('recordings', () => {
  it('that differ in case alone are told apart where the CSV does', async () => {
    const csv = 'filename,category\na.wav,ape\nA.wav,zebra\n';
    const listing = await lay({ 'a.wav': '1', 'A.wav': '2', 'l.csv': csv });
    expect(listing.rows.map(({ file }) => file)).toEqual(['a.wav', 'A.wav']);
  });

  it('are found through links, and round a link that leads back', async () => {
    await symlink(folder, join(folder, 'loop'));
    expect(problemsOf(await lay({ ...filesOf(clips), 'list.csv': plain }))).toEqual([]);
  });

  it.each<[string, Record<string, string>, string[]]>([
    [
      'one file of two names',
      { 'audio/a.wav': '1', 'l.csv': 'filename,category\na.wav,ape\naudio/a.wav,zebra' },
      ['l.csv line 3: audio/a.wav is already listed in line 2'],
    ],
    [
      'one file in two cases',
      { 'a.wav': '1', 'l.csv': 'filename,category\na.wav,ape\nA.wav,zebra' },
      ['l.csv line 3: A.wav is already listed in line 2'],
    ],
    [
      'a name that fits two files',
      { 'a.wav': '1', 'A.wav': '2', 'l.csv': 'filename,category\na.WAV,ape' },
      ['l.csv line 2: a.WAV could be A.wav, a.wav; write the name as it is, folders included'],
    ],
    [
      'a name that is in two folders',
      { 'x/a.wav': '1', 'y/a.wav': '2', 'l.csv': 'filename,category\na.wav,ape' },
      ['l.csv line 2: a.wav could be x/a.wav, y/a.wav; write the name as it is, folders included'],
    ],
    [
      'a name that leads out',
      { 'a.wav': '1', 'l.csv': 'filename,category\n../../../etc/passwd,ape\n..\\..\\b.wav,ape' },
      [
        "l.csv line 2: ../../../etc/passwd leads out of the dataset's folder",
        "l.csv line 3: ..\\..\\b.wav leads out of the dataset's folder",
      ],
    ],
    [
      'no recording at all',
      { 'x.wav': '1', 'l.csv': plain },
      ['none of the 6 recordings that l.csv names is there, as a1.wav; there are x.wav'],
    ],
    [
      'another extension',
      { ...filesOf(clips.slice(1)), 'a1.mp3': '1', 'l.csv': plain },
      ['a1.wav is missing; there is a1.mp3'],
    ],
  ])('are refused for %s', async (_, files, problems) => {
    expect(problemsOf(await lay(files))).toEqual(problems);
  });
});

describe('one sentence', () => {
  const line = (name: string, category: string): string => `${name},${category}`;
  it.each<[string, string | Buffer, string]>([
    [
      'other columns',
      'File,Label\na.wav,ape',
      'no CSV file has the columns filename and category: l.csv has File, Label',
    ],
    ['a column twice', 'filename,category,Category\na1.wav,ape,x', 'l.csv has the column category twice'],
    ['an empty file', '', 'no CSV file has the columns filename and category: l.csv is empty'],
    [
      'a workbook',
      'PK\u0003\u0004xl/workbook.xml',
      'it is a workbook or an archive; save the list as CSV (UTF-8)',
    ],
    [
      'NUL bytes',
      `filename,category\na1.wav,a\0pe\n${'b,c\n'.repeat(2000)}`,
      'it holds NUL bytes; save it as CSV (UTF-8)',
    ],
    ['no lines', 'filename,category\n', 'l.csv lists no recordings'],
    ['an unclosed quote', `${plain}\n"x`, 'l.csv is no valid CSV: the quote in line 8 is not closed'],
    [
      'a comma in a value',
      plain.replace('a1.wav,ape', 'a1.wav,ape, great'),
      'l.csv line 2: expected 2 fields as in the header, got 3; put a value',
    ],
    ['an empty category', plain.replace('a1.wav,ape', 'a1.wav, '), 'l.csv line 2: the category is empty'],
    [
      'nothing but another category than `unknown`',
      plain.replaceAll('ape', 'Unknown'),
      'expected 2 to 1000 categories, got 1: zebra; unknown does not count',
    ],
    [
      'nothing but `unknown`',
      plain.replaceAll(/ape|zebra/g, 'unknown'),
      'every recording is of the category unknown, which holds what is none of the classes: name 2 or more',
    ],
    [
      'a reserved word',
      plain.replaceAll('ape', 'Silence'),
      'the category Silence is reserved: the service answers it where nothing is heard',
    ],
    [
      'a control character',
      plain.replaceAll('ape', 'a\u0007pe'),
      'the category a\\u{7}pe holds a control character',
    ],
    [
      'a line end in a class',
      csvOf((name) => line(name, name.startsWith('a') ? '"a\npe"' : 'zebra')),
      'the category a\\u{a}pe holds a control character',
    ],
    [
      'a direction mark',
      plain.replaceAll('ape', '\u202eepa'),
      'the category \\u{202e}epa holds a control character',
    ],
    ['one class', plain.replaceAll('zebra', 'ape'), 'expected 2 to 1000 categories, got 1: ape'],
    [
      'a fold that is none',
      plain.replace('filename,category', 'filename,category,fold').replaceAll(/(ape|zebra)$/gm, '$1,x'),
      'expected the fold as a whole number from 1 up, got "x"',
    ],
  ])('says what is wrong with %s', async (_, csv, sentence) => {
    let problems: readonly string[];
    try {
      problems = problemsOf(await lay({ ...filesOf(clips), 'l.csv': csv }));
    } catch (caught) {
      problems = (caught as AppError).details['problems'] as string[];
    }
    expect(problems.every((problem) => problem.includes(sentence))).toBe(true);
    expect(problems.length).toBe(sentence.includes('the fold') ? 6 : 1);
  });

  it('says what to do with folders that are named like classes', async () => {
    await expect(lay(filesOf(clips, 'ape/'))).rejects.toMatchObject({
      details: {
        problems: [expect.stringMatching(/^there is no CSV file; add one .*, as in ape\/a1\.wav,ape$/)],
      },
    });
  });

  it('is all that is told of 100,001 lines, 20,000 classes and as many folds', async () => {
    const lines = Array.from({ length: 100_001 }, (_, k) => `${k},${k % 20_000},${(k % 20_000) + 1}`);
    const listing = await lay({ 'l.csv': `filename,category,fold\n${lines.join('\n')}` });
    expect(listing.problems.shown[0]).toBe('l.csv has more than 100000 lines');
    expect(classesOf(listing).problems.shown).toEqual([
      expect.stringMatching(/^expected 2 to 1000 categories, got 20000: /),
      'expected at most 100 folds, got 20000',
    ]);
  });
});
