import { open, readFile, type FileHandle } from 'node:fs/promises';
import type { Classification } from '../../../shared/contracts/classification';
import { AppError } from '../../../shared/errors/app-error';
import type { Answered, ListFormat } from './answer-formats';
import type { Recording } from './find-recordings';

const lineFeed = 0x0a;
/** How every line of JSON Lines starts. */
const startOfJson = '{"file":';

/** A file that answers are appended to, and that knows what earlier runs had answers to. */
export class AnswerList {
  readonly #file: FileHandle;
  readonly #format: ListFormat;
  readonly #answered: ReadonlySet<string>;

  private constructor(file: FileHandle, format: ListFormat, answered: ReadonlySet<string>) {
    this.#file = file;
    this.#format = format;
    this.#answered = answered;
  }

  /**
   * Opens a list, which need not exist. What follows the last complete answer is removed: a run that was
   * killed may have left a part of one.
   * @throws AppError conflict for a file that is no such list; not-found where it cannot be opened
   */
  static async open(path: string, format: ListFormat): Promise<AnswerList> {
    const { answered, keepBytes } = await readList(path, format);
    const file = await open(path, 'a').catch((cause: unknown) => {
      throw new AppError('conflict', `${path} cannot be written: ${(cause as Error).message}`, { cause });
    });
    await file.truncate(keepBytes);
    const list = new AnswerList(file, format, new Set(answered.map(keyOf)));
    if (keepBytes === 0) await file.write(format.head);
    return list;
  }

  /** Whether there is an answer to it; not if the file was changed since. */
  has({ file, state }: Recording): boolean {
    return state !== undefined && this.#answered.has(keyOf({ file, ...state }));
  }

  async add(recording: Recording, answer: Classification): Promise<void> {
    await this.#file.write(this.#format.encode(recording, answer));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function keyOf({ file, bytes, modified }: Answered): string {
  return JSON.stringify([file.replace(/[\r\n]+/g, ' ').trim(), bytes, modified]);
}

interface ListContent {
  readonly answered: readonly Answered[];
  /** Length of the complete answers, with the head. */
  readonly keepBytes: number;
}

async function readList(path: string, format: ListFormat): Promise<ListContent> {
  const content = await readFile(path).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return Buffer.alloc(0);
    throw new AppError('conflict', `${path} cannot be read: ${message}`, { cause });
  });
  const head = Buffer.from(format.head);
  if (content.length === 0) return { answered: [], keepBytes: 0 };
  if (!content.subarray(0, head.length).equals(head)) throw foreign(path);
  const read = format.createReader();
  const answered: Answered[] = [];
  let keepBytes = head.length;
  for (let at = head.length; ;) {
    const end = content.indexOf(lineFeed, at);
    if (end < 0) break;
    const line = read(content.toString('utf8', at, end));
    if (line.isForeign) throw foreign(path);
    at = end + 1;
    if (line.answered !== undefined) answered.push(line.answered);
    if (line.isLast) keepBytes = at;
  }
  // A part of a line is removed only where it can be a part of an answer.
  const isOurs =
    head.length > 0 ||
    content.toString('utf8', keepBytes).startsWith(startOfJson.slice(0, content.length - keepBytes));
  if (!isOurs) throw foreign(path);
  return { answered, keepBytes };
}

function foreign(path: string): AppError {
  return new AppError('conflict', `${path} is no list of answers in this format: name another file.`);
}
