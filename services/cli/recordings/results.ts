import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Classification } from '../../../shared/contracts/classification';
import { AppError } from '../../../shared/errors/app-error';
import type { TextStream } from '../../../shared/observability/status-line';
import { classificationText, eventSpanLine } from '../output/lines';
import { audacity, csv, jsonLines, raven, type LabelFormat, type ListFormat } from './answer-formats';
import { AnswerList } from './answer-list';
import type { Recording } from './find-recordings';

export const answerFormats = ['text', 'json', 'csv', 'audacity', 'raven'] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** Where answers go. */
export interface Results {
  /** Whether an earlier run had the answer. */
  has(recording: Recording): boolean;
  add(recording: Recording, answer: Classification): Promise<void>;
  close(): Promise<void>;
}

export interface ResultOptions {
  readonly format: AnswerFormat;
  /** File of json and csv, folder of the others; undefined: standard output. */
  readonly output?: string | undefined;
}

/** The list of what was answered, in the folder of the label files. */
const listName = 'answers.jsonl';

/**
 * Opens what answers are written to.
 * @throws AppError malformed-request where the recordings cannot go there; conflict as AnswerList.open
 */
export async function openResults(
  { format, output }: ResultOptions,
  recordings: readonly Recording[],
  stdout: TextStream,
): Promise<Results> {
  const isLabels = format === 'audacity' || format === 'raven';
  if (output === undefined) {
    if (isLabels && recordings.length > 1) {
      throw new AppError(
        'malformed-request',
        `--format ${format} makes a file for each recording: give a folder for them with --output.`,
      );
    }
    return printed(format, stdout);
  }
  if (format === 'text') {
    throw new AppError('malformed-request', '--output is for --format json, csv, audacity and raven.');
  }
  if (!isLabels) return AnswerList.open(output, format === 'json' ? jsonLines : csv);
  return openLabels(format === 'audacity' ? audacity : raven, output, recordings);
}

function printed(format: AnswerFormat, stdout: TextStream): Results {
  const lists: Partial<Record<AnswerFormat, ListFormat>> = { json: jsonLines, csv };
  const list = lists[format];
  if (list !== undefined && list.head !== '') stdout.write(list.head);
  const encode = (recording: Recording, answer: Classification): string => {
    if (list !== undefined) return list.encode(recording, answer);
    if (format === 'text') return textOf(recording, answer);
    return (format === 'audacity' ? audacity : raven).encode(answer);
  };
  return {
    has: () => false,
    add(recording, answer) {
      stdout.write(encode(recording, answer));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
}

function textOf({ file }: Recording, answer: Classification): string {
  const lines = [`${file}: ${classificationText(answer)}`, ...(answer.events ?? []).map(eventSpanLine)];
  return lines.map((line) => `${line}\n`).join('');
}

/** A file of labels for each recording, in the folders that the recordings are in below theirs. */
async function openLabels(
  format: LabelFormat,
  folder: string,
  recordings: readonly Recording[],
): Promise<Results> {
  const files = new Map<string, string>();
  for (const { file, name } of recordings) {
    const other = files.get(name) ?? file;
    if (other !== file) {
      throw new AppError(
        'malformed-request',
        `The labels of ${other} and of ${file} would go into one file, ${name}${format.suffix}: give each a run and a folder of its own.`,
      );
    }
    files.set(name, file);
  }
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new AppError('conflict', `${folder}: ${(cause as Error).message}`, { cause });
  });
  const list = await AnswerList.open(join(folder, listName), jsonLines);
  return {
    has: (recording) => list.has(recording),
    async add(recording, answer) {
      const name = recording.file === '-' ? 'standard-input' : recording.name;
      const path = join(folder, `${name}${format.suffix}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, format.encode(answer));
      // Behind the labels: what is in the list has its file.
      await list.add(recording, answer);
    },
    close: () => list.close(),
  };
}
