import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { CsvFault, csvRecords, maxRecordLength, type CsvRecord } from './csv-records';
import { invalidDataset, shownList } from './dataset-problems';
import { isUserFixable, type FileIndex } from './file-index';
import { decodeText, type TextEncodingName } from './text-encoding';

/** The columns and the format of a CSV. */
export interface CsvHead {
  /** Relative to the dataset's folder. */
  readonly name: string;
  /** The columns, in lower case and without spaces, so that `File Name` is `filename`. */
  readonly columns: readonly string[];
  /** The columns as they are written in the file. */
  readonly written: readonly string[];
  readonly delimiter: string;
}

export interface CsvContent {
  readonly encoding: TextEncodingName;
  /**
   * The records after the header.
   * @throws AppError invalid-dataset
   */
  readonly records: Iterable<CsvRecord>;
}

export const requiredColumns = ['filename', 'category'];
/** Enough for 100,000 lines of 300 characters. */
export const maxCsvBytes = 32 * 2 ** 20;
const maxCandidates = 100;
/** The delimiters in order of frequency: the first one that gives the required columns is used. */
const delimiters = [',', ';', '\t', '|'];
/** A line of spreadsheet programs that states the separator: `sep=;`. */
const separatorLine = /^"?sep=(\\t|[^\r\n])"?[,;\t ]*(\r\n|\n|\r|$)/i;

/**
 * Finds the CSV of a dataset: in its folder or its folder `meta`, or else anywhere, if it has the
 * required columns.
 * @throws AppError invalid-dataset when there is none, or more than one
 */
export function findCsv(folder: string, { files }: FileIndex): CsvHead {
  const all = files.filter(isCsv);
  const near = all.filter((file) => /^(meta\/)?[^/]*$/i.test(file));
  const far = all.filter((file) => !near.includes(file));
  if (all.length > maxCandidates) {
    throw invalidDataset(folder, [
      `there are ${all.length} CSV files; keep the one that lists the recordings`,
    ]);
  }
  const heads: (CsvHead | string)[] = [];
  for (const places of [near, far]) {
    heads.push(...places.map((name) => headOrProblem(folder, name)));
    const fit = heads.filter((head) => typeof head !== 'string' && isList(head)) as CsvHead[];
    if (fit.length === 1) return fit[0]!;
    if (fit.length > 1) {
      const names = shownList(fit.map(({ name }) => name));
      throw invalidDataset(folder, [
        `several CSV files have the columns filename and category: ${names}; keep one of them`,
      ]);
    }
  }
  throw invalidDataset(folder, [heads.length === 0 ? describeMissingCsv(files) : describeNoMatch(heads)]);
}

/** Tells by its name whether a file may be a CSV. */
export function isCsv(name: string): boolean {
  return /\.(csv|tsv)$/i.test(name);
}

function isList({ columns }: CsvHead): boolean {
  return requiredColumns.every((column) => columns.includes(column));
}

function headOrProblem(folder: string, name: string): CsvHead | string {
  try {
    return readHead(folder, name);
  } catch (caught) {
    if (caught instanceof CsvFault) return `${name} is no valid CSV: ${caught.message}`;
    if (isUserFixable(caught)) return `${name} cannot be read (${caught.code})`;
    throw caught;
  }
}

function describeNoMatch(heads: readonly (CsvHead | string)[]): string {
  const found = heads.slice(0, 3).map((head) => {
    if (typeof head === 'string') return head;
    return head.written.length === 0
      ? `${head.name} is empty`
      : `${head.name} has ${shownList(head.written, 8)}`;
  });
  const rest = heads.length > found.length ? `; and ${heads.length - found.length} more` : '';
  return `no CSV file has the columns filename and category: ${found.join('; ')}${rest}`;
}

/** Returns advice for folders of recordings that are named after their classes. */
function describeMissingCsv(files: readonly string[]): string {
  const example = files.find((file) => file.includes('/'));
  const row =
    example === undefined
      ? 'kettle-1.wav,kettle'
      : `${example},${path.posix.basename(path.posix.dirname(example))}`;
  return (
    'there is no CSV file; add one with the columns filename and category in its first line, and below a line for ' +
    `each recording, as in ${shownList([row])}`
  );
}

/**
 * Reads the first line of a CSV.
 * @throws CsvFault; the file system's errors
 */
export function readHead(folder: string, name: string): CsvHead {
  const file = path.join(folder, name);
  const bytes = Buffer.alloc(Math.min(maxRecordLength * 2, statSync(file).size));
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const { text } = decodeText(bytes, false);
  refuseBinary(text);
  const statedSeparator = separatorLine.exec(text)?.[1];
  const body = text.replace(separatorLine, '');
  const faults: CsvFault[] = [];
  const heads: CsvHead[] = [];
  for (const delimiter of statedSeparator === undefined
    ? delimiters
    : [statedSeparator === '\\t' ? '\t' : statedSeparator, ...delimiters]) {
    try {
      const [first] = take(csvRecords(body, delimiter));
      const written = first?.fields ?? [];
      const head = { name, delimiter, written, columns: written.map(columnKey) };
      if (isList(head)) return head;
      heads.push(head);
    } catch (caught) {
      if (!(caught instanceof CsvFault)) throw caught;
      faults.push(caught);
    }
  }
  const [widest] = heads.sort((a, b) => b.columns.length - a.columns.length);
  if (widest === undefined) throw faults[0]!;
  return widest;
}

/** Returns the first record as a list; an empty list where there is none. */
function take(records: Iterable<CsvRecord>): CsvRecord[] {
  for (const record of records) return [record];
  return [];
}

/** @throws CsvFault for a binary file */
function refuseBinary(text: string): void {
  if (text.startsWith('PK\u0003\u0004')) {
    throw new CsvFault('it is a workbook or an archive; save the list as CSV (UTF-8)');
  }
  if (text.includes('\0')) throw new CsvFault('it holds NUL bytes; save it as CSV (UTF-8)');
}

function columnKey(written: string): string {
  return written
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_\u200b\ufeff-]/gu, '');
}

/**
 * Reads a CSV whose header is known.
 * @throws AppError invalid-dataset when it is too large or no text; the file system's errors
 */
export function readCsv(folder: string, { name, delimiter }: CsvHead): CsvContent {
  const file = path.join(folder, name);
  const refuse = (problem: string): Error => invalidDataset(folder, [problem]);
  if (statSync(file).size > maxCsvBytes) throw refuse(`${name} is larger than ${maxCsvBytes} bytes`);
  const { text, encoding } = decodeText(readFileSync(file));
  const separator = separatorLine.exec(text)?.[0] ?? '';
  const linesBefore = separator === '' ? 0 : 1;
  return {
    encoding,
    records: (function* () {
      try {
        refuseBinary(text);
        let isHeader = true;
        for (const { fields, line } of csvRecords(text.slice(separator.length), delimiter)) {
          if (!isHeader) yield { fields, line: line + linesBefore };
          isHeader = false;
        }
      } catch (caught) {
        if (!(caught instanceof CsvFault)) throw caught;
        throw refuse(`${name} is no valid CSV: ${caught.message}`);
      }
    })(),
  };
}
