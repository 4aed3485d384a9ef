import path from 'node:path';
import { assignFolds } from './assign-folds';
import { type CsvRecord, findCsv, readCsv } from './csv-file';
import { invalidDataset } from './dataset-problems';

/** A clip as the CSV names it, checked. */
export interface DatasetRow {
  /** Relative to the audio folder, normalised; never leads out of it. */
  readonly filename: string;
  readonly fold: number;
  readonly category: string;
  /** The class's number, when the CSV has a column `target`. */
  readonly target: number | undefined;
}

export interface DatasetListing {
  readonly csvFile: string;
  readonly rows: readonly DatasetRow[];
  /** What is wrong with lines of the CSV; those lines are not among `rows`. */
  readonly problems: readonly string[];
  /** The CSV has no column `fold`: the folds were made (assign-folds.ts). */
  readonly foldsMade: boolean;
}

type UnfoldedRow = Omit<DatasetRow, 'fold'> & { readonly fold: number | undefined; readonly source: string };

const requiredColumns = ['filename', 'category'];
/** ESC-50's names: fold, number of the recording, take of it, class. */
const esc50Name = /^\d+-(\d+)-[A-Z]-\d+\.\w+$/;
type Fields = ReadonlyMap<string, string>;

/**
 * Reads the list of clips: a CSV with the columns `filename`, `category` and `fold`, and optionally
 * `target` and `esc10`, as ESC-50 has them. Where it has no `fold`, folds are made; clips of one source stay together then:
 * the column `source` says which those are, else names as ESC-50 has them, else every clip is its own.
 *
 * @param csv relative to the folder; without it, the one CSV in the folder or its `meta/` with those columns
 * @param esc10Only only the lines whose column `esc10` says True
 * @throws AppError invalid-dataset when there is no such CSV or it cannot be parsed at all
 */
export async function readDatasetCsv(
  folder: string,
  csv: string | undefined,
  esc10Only: boolean,
): Promise<DatasetListing> {
  const csvFile = csv === undefined ? await findCsv(folder, requiredColumns) : path.resolve(folder, csv);
  const [header, ...lines] = await readCsv(folder, csvFile);
  const columns = header?.fields ?? [];
  const wanted = esc10Only ? [...requiredColumns, 'esc10'] : requiredColumns;
  const absent = wanted.filter((column) => !columns.includes(column));
  const csvName = path.basename(csvFile);
  if (absent.length > 0) throw invalidDataset(folder, [`${csvName} has no column ${absent.join(', ')}`]);
  const { rows, problems } = checkLines(csvName, columns, lines, esc10Only);
  if (columns.includes('fold')) return { csvFile, rows: rows.map(withFold), problems, foldsMade: false };
  const made = assignFolds(rows);
  return {
    csvFile,
    rows: rows.map((row, index) => withFold({ ...row, fold: made.folds[index] })),
    problems: [...problems, ...made.problems],
    foldsMade: true,
  };
}

function withFold({ filename, fold, category, target }: UnfoldedRow): DatasetRow {
  return { filename, fold: fold!, category, target };
}

/** Whether the CSV says which of its clips make up ESC-10. @throws AppError invalid-dataset */
export async function marksEsc10(folder: string): Promise<boolean> {
  const [header] = await readCsv(folder, await findCsv(folder, requiredColumns));
  return header?.fields.includes('esc10') ?? false;
}

function checkLines(
  csvName: string,
  columns: readonly string[],
  lines: readonly CsvRecord[],
  esc10Only: boolean,
): { rows: UnfoldedRow[]; problems: string[] } {
  const rows: UnfoldedRow[] = [];
  const problems: string[] = [];
  const seen = new Map<string, number>();
  for (const { fields: values, line } of lines) {
    const where = `${csvName} line ${line}`;
    if (values.length !== columns.length) {
      problems.push(`${where}: expected ${columns.length} fields as in the header, got ${values.length}`);
      continue;
    }
    const fields: Fields = new Map(columns.map((column, index) => [column, values[index]!]));
    if (esc10Only && fields.get('esc10')!.toLowerCase() !== 'true') continue;
    const wrong = rowProblems(fields, seen);
    if (wrong.length > 0) problems.push(...wrong.map((problem) => `${where}: ${problem}`));
    else rows.push(toRow(fields));
    if (!seen.has(cleanName(fields))) seen.set(cleanName(fields), line);
  }
  return { rows, problems };
}

function rowProblems(fields: Fields, seen: ReadonlyMap<string, number>): string[] {
  const problems: string[] = [];
  const filename = fields.get('filename')!;
  const firstLine = seen.get(cleanName(fields));
  if (filename === '') problems.push('the filename is empty');
  else if (leadsOut(filename)) problems.push(`${filename} leads out of the dataset's folder`);
  else if (firstLine !== undefined) problems.push(`${filename} is already listed in line ${firstLine}`);
  const fold = fields.get('fold');
  if (fold !== undefined && (!isWholeNumber(fold) || Number(fold) < 1)) {
    problems.push(`expected the fold as a whole number from 1 up, got "${fold}"`);
  }
  if (fields.get('category') === '') problems.push('the category is empty');
  const target = fields.get('target');
  if (target !== undefined && !isWholeNumber(target)) {
    problems.push(`expected the target as a whole number from 0 up, got "${target}"`);
  }
  return problems;
}

function toRow(fields: Fields): UnfoldedRow {
  const [fold, target] = [fields.get('fold'), fields.get('target')];
  return {
    filename: cleanName(fields),
    fold: fold === undefined ? undefined : Number(fold),
    category: fields.get('category')!,
    target: target === undefined ? undefined : Number(target),
    source: sourceOf(fields),
  };
}

/** The prefixes keep a source's name and a file's apart. */
function sourceOf(fields: Fields): string {
  const source = fields.get('source') ?? '';
  if (source !== '') return `source ${source}`;
  const recording = esc50Name.exec(path.basename(fields.get('filename')!))?.[1];
  return recording === undefined ? `file ${cleanName(fields)}` : `recording ${recording}`;
}

/** At most nine digits: beyond that no fold or target is meant. */
function isWholeNumber(text: string): boolean {
  return /^\d{1,9}$/.test(text);
}

function cleanName(fields: Fields): string {
  return path.normalize(fields.get('filename')!);
}

function leadsOut(filename: string): boolean {
  const clean = path.normalize(filename);
  return path.isAbsolute(clean) || clean.split(path.sep)[0] === '..' || clean.includes('\0');
}
