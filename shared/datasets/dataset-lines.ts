import { cleanClassName } from './class-name';
import { clipName, createClipFinder, type ClipName, type FoundClip } from './clip-finder';
import type { CsvHead } from './csv-file';
import type { CsvRecord } from './csv-records';
import { ProblemList, shownValue } from './dataset-problems';
import type { FileIndex } from './file-index';

/** A line of the CSV that names a clip. */
export interface CheckedLine {
  readonly filename: string;
  readonly file: string | undefined;
  readonly category: string;
  readonly source: string;
  readonly fold: number | undefined;
  readonly target: number | undefined;
}

export interface CheckLinesInput {
  readonly head: CsvHead;
  readonly records: Iterable<CsvRecord>;
  readonly index: FileIndex;
  readonly esc10Only: boolean;
  readonly assertWanted: () => void;
}

export interface CheckedLines {
  readonly lines: readonly CheckedLine[];
  readonly problems: ProblemList;
  readonly missing: ProblemList;
  /** Whether any line states the fold of its clip. */
  readonly hasFolds: boolean;
  /** Whether lines were dropped because of problems. */
  readonly isPartial: boolean;
}

interface Line {
  readonly kind: 'line';
  readonly number: number;
  readonly name: ClipName;
  readonly category: string;
  readonly fold: string;
  readonly target: string;
  readonly source: string;
}

/** A line that does not have the columns of the header. */
interface BrokenLine {
  readonly kind: 'broken';
  readonly number: number;
  readonly problem: string;
}

const maxLines = 100_000;
const linesBetweenChecks = 1000;

/** @throws AppError invalid-dataset from the records; what `assertWanted` throws */
export function checkLines(input: CheckLinesInput): CheckedLines {
  const { head, index, assertWanted } = input;
  const problems = new ProblemList();
  const missing = new ProblemList();
  const found = readLines(input, problems);
  const whole = found.filter((line) => line.kind === 'line');
  const columns = {
    fold: whole.some(({ fold }) => fold !== ''),
    target: whole.some(({ target }) => target !== ''),
  };
  const names = whole.map(({ name }) => name).filter(({ path }) => path !== '');
  const find = createClipFinder(index, head.name, names);
  const seen = new Map<string, number>();
  const lines: CheckedLine[] = [];
  for (const [at, line] of found.entries()) {
    if (at % linesBetweenChecks === 0) assertWanted();
    const where = `${head.name} line ${line.number}`;
    if (line.kind === 'broken') {
      problems.add(`${where}: ${line.problem}`);
      continue;
    }
    const clip = line.name.path === '' ? undefined : find(line.name);
    const wrong = [...clipProblems(line, clip, seen), ...valueProblems(line, columns)];
    for (const problem of wrong) problems.add(`${where}: ${problem}`);
    if (wrong.length > 0) continue;
    if (clip?.kind === 'missing') missing.add(clip.problem);
    lines.push(checked(line, clip?.kind === 'file' ? clip.file : undefined));
  }
  return { lines, problems, missing, hasFolds: columns.fold, isPartial: problems.count > 0 };
}

function checked({ name, category, source, fold, target }: Line, file: string | undefined): CheckedLine {
  const filename = name.isAbsolute && file !== undefined ? file : name.path;
  return { filename, file, category, source, fold: wholeNumber(fold), target: wholeNumber(target) };
}

/** @param seen the line of each clip so far; this line is added */
function clipProblems(
  { name, number }: Line,
  clip: FoundClip | undefined,
  seen: Map<string, number>,
): string[] {
  if (clip === undefined) return ['the filename is empty'];
  if (clip.kind === 'wrong') return [clip.problem];
  const key = clip.kind === 'file' ? clip.file : `missing ${name.path}`;
  const first = seen.get(key);
  if (first !== undefined) return [`${shownValue(name.written)} is already listed in line ${first}`];
  seen.set(key, number);
  return [];
}

function valueProblems(
  { fold, category, target }: Line,
  columns: { readonly fold: boolean; readonly target: boolean },
): string[] {
  return [
    ...(columns.fold ? foldProblem(fold) : []),
    ...(category === '' ? ['the category is empty'] : []),
    ...(columns.target ? targetProblem(target) : []),
  ];
}

/** The index of each column; −1 where it is missing. */
type Places = Readonly<Record<'filename' | 'category' | 'fold' | 'target' | 'source' | 'esc10', number>>;

function placesOf(columns: readonly string[]): Places {
  const at = (column: string): number => columns.indexOf(column);
  return {
    filename: at('filename'),
    category: at('category'),
    fold: at('fold'),
    target: at('target'),
    source: at('source'),
    esc10: at('esc10'),
  };
}

function readLines(
  { head, records, esc10Only, assertWanted }: CheckLinesInput,
  problems: ProblemList,
): (Line | BrokenLine)[] {
  const { name } = head;
  const places = placesOf(head.columns);
  const lines: (Line | BrokenLine)[] = [];
  let count = 0;
  for (const record of records) {
    if (count++ % linesBetweenChecks === 0) assertWanted();
    if (count > maxLines) {
      problems.add(`${name} has more than ${maxLines} lines`);
      break;
    }
    const isLeftOut = esc10Only && record.fields[places.esc10]?.toLowerCase() !== 'true';
    if (!isLeftOut) lines.push(toLine(record, places, head.columns));
  }
  if (lines.length === 0) {
    problems.add(`${name} lists no recordings; a line for each is expected below its first line`);
  }
  return lines;
}

function toLine({ fields, line }: CsvRecord, places: Places, columns: readonly string[]): Line | BrokenLine {
  const named = columns.findLastIndex((column) => column !== '') + 1;
  // Fields after the last required one may be missing, as spreadsheets drop empty cells.
  const needed = Math.max(places.filename, places.category, places.fold, places.target) + 1;
  const surplus = fields.slice(named).some((field) => field !== '');
  if (fields.length < needed || surplus) {
    const advice = surplus ? '; put a value that holds the separator into quotes' : '';
    const problem = `expected ${named} fields as in the header, got ${fields.length}${advice}`;
    return { kind: 'broken', number: line, problem };
  }
  return {
    kind: 'line',
    number: line,
    name: clipName(fields[places.filename]!),
    category: cleanClassName(fields[places.category]!),
    fold: fields[places.fold] ?? '',
    target: fields[places.target] ?? '',
    source: fields[places.source] ?? '',
  };
}

function foldProblem(fold: string): string[] {
  const number = wholeNumber(fold);
  if (number !== undefined && number >= 1) return [];
  return [`expected the fold as a whole number from 1 up, got "${shownValue(fold)}"`];
}

function targetProblem(target: string): string[] {
  if (wholeNumber(target) !== undefined) return [];
  return [`expected the target as a whole number from 0 up, got "${shownValue(target)}"`];
}

/**
 * Parses a number of at most nine digits; more are no fold or target. It accepts `1.0` as pandas writes
 * columns with gaps, and `1,0` as spreadsheets with a decimal comma do.
 */
function wholeNumber(text: string): number | undefined {
  return /^\d{1,9}([.,]0*)?$/.test(text) ? Number.parseInt(text, 10) : undefined;
}
