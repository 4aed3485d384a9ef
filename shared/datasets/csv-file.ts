import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { invalidDataset } from './dataset-problems';

export interface CsvRecord {
  readonly fields: readonly string[];
  readonly line: number;
}

/**
 * The one CSV file in a folder, or in its folder `meta`, that has all the columns.
 *
 * @throws AppError invalid-dataset when there is none, or more than one
 */
export async function findCsv(folder: string, columns: readonly string[]): Promise<string> {
  const places = await Promise.all([
    listCsvFiles(folder, true),
    listCsvFiles(path.join(folder, 'meta'), false),
  ]);
  const found: string[] = [];
  for (const file of places.flat()) {
    const [header] = await readCsv(folder, file, 1).catch(() => []);
    if (columns.every((column) => header?.fields.includes(column))) found.push(file);
  }
  if (found.length === 1) return found[0]!;
  const wanted = columns.join(', ');
  throw invalidDataset(folder, [
    found.length === 0
      ? `there is no CSV file with the columns ${wanted} in it or in its folder meta`
      : `several CSV files have the columns ${wanted}; say which one to use: ${found.map((file) => path.relative(folder, file)).join(', ')}`,
  ]);
}

async function listCsvFiles(folder: string, mustExist: boolean): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.toLowerCase().endsWith('.csv'))
      .sort()
      .map((name) => path.join(folder, name));
  } catch (caught) {
    if (!mustExist) return [];
    throw invalidDataset(folder, [`the folder cannot be read: ${(caught as Error).message}`]);
  }
}

/**
 * The lines of a CSV file, the header first; values without the blanks around them.
 *
 * @throws AppError invalid-dataset when it cannot be read or parsed
 */
export async function readCsv(folder: string, csvFile: string, count?: number): Promise<CsvRecord[]> {
  const text = await readFile(csvFile, 'utf8').catch((caught: unknown) => {
    throw invalidDataset(folder, [`${csvFile} cannot be read: ${(caught as Error).message}`]);
  });
  try {
    const records = parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      ...(count === undefined ? {} : { to: count }),
    }) as unknown as { record: string[]; info: { lines: number } }[];
    return records.map(({ record, info }) => ({ fields: record, line: info.lines }));
  } catch (caught) {
    throw invalidDataset(folder, [`${path.basename(csvFile)} is no valid CSV: ${(caught as Error).message}`]);
  }
}
