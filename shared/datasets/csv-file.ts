import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { CsvFault, csvRecords, maxRecordLength, type CsvRecord } from './csv-records';
import { invalidDataset, shownList } from './dataset-problems';
import { isUsersFault, type FileIndex } from './file-index';
import { decodeText, type TextEncodingName } from './text-encoding';

/** A CSV's columns, and how it is written. */
export interface CsvHead {
  /** Relative to the dataset's folder. */
  readonly name: string;
  /** In lower case and without blanks, so that `File Name` is `filename`. */
  readonly columns: readonly string[];
  /** As they are written. */
  readonly written: readonly string[];
  readonly delimiter: string;
}

export interface CsvContent {
  readonly encoding: TextEncodingName;
  /** Those behind the header. @throws AppError invalid-dataset */
  readonly records: Iterable<CsvRecord>;
}

export const requiredColumns = ['filename', 'category'];
/** 100,000 lines of 300 letters. */
export const maxCsvBytes = 32 * 2 ** 20;
const maxCandidates = 100;
/** The most usual ones first: where several give the columns, this one does. */
const delimiters = [',', ';', '\t', '|'];
/** Spreadsheets' own line: `sep=;`. */
const separatorLine = /^"?sep=(\\t|[^\r\n])"?[,;\t ]*(\r\n|\n|\r|$)/i;

/**
 * The one CSV of a dataset: in its folder or its folder `meta`, else wherever there is one with the columns.
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
  throw invalidDataset(folder, [heads.length === 0 ? withoutCsv(files) : noneFits(heads)]);
}

/** Whether a file is a list by its name. */
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
    if (isUsersFault(caught)) return `${name} cannot be read (${caught.code})`;
    throw caught;
  }
}

function noneFits(heads: readonly (CsvHead | string)[]): string {
  const found = heads.slice(0, 3).map((head) => {
    if (typeof head === 'string') return head;
    return head.written.length === 0
      ? `${head.name} is empty`
      : `${head.name} has ${shownList(head.written, 8)}`;
  });
  const rest = heads.length > found.length ? `; and ${heads.length - found.length} more` : '';
  return `no CSV file has the columns filename and category: ${found.join('; ')}${rest}`;
}

/** What to do about folders of recordings that are named like their classes. */
function withoutCsv(files: readonly string[]): string {
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
 * A CSV's first line, without reading the rest.
 * @throws CsvFault; the file system's errors as they are
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
  const told = separatorLine.exec(text)?.[1];
  const body = text.replace(separatorLine, '');
  const faults: CsvFault[] = [];
  const heads: CsvHead[] = [];
  for (const delimiter of told === undefined ? delimiters : [told === '\\t' ? '\t' : told, ...delimiters]) {
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

/** The first record, if there is one. */
function take(records: Iterable<CsvRecord>): CsvRecord[] {
  for (const record of records) return [record];
  return [];
}

/** @throws CsvFault for what is no text */
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
 * All of a CSV whose head is known.
 * @throws AppError invalid-dataset when it is too large or no text; the file system's errors as they are
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
