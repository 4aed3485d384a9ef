import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { isClipFault, maxClipSeconds } from '../../../shared/datasets/clip-file';
import { ProblemList, shownValue, type DatasetProblems } from '../../../shared/datasets/dataset-problems';
import { isUserFixable } from '../../../shared/datasets/file-index';
import { AppError } from '../../../shared/errors/app-error';
import type { ClipList } from './describe-dataset';

/** State and result of a check of a dataset's clips. */
export interface ClipCheck {
  readonly state: 'running' | 'done';
  readonly checked: number;
  readonly problems: DatasetProblems;
}

/** Decodes every clip once, one clip at a time, so that callers' recordings are hardly delayed. */
export interface ClipChecks {
  /**
   * Returns the check of a folder in its present state; begins one if there is none.
   * @param folderState changes when the folder's content does (DatasetReading.state)
   */
  get(folder: string, folderState: string): ClipCheck;
  close(): Promise<void>;
}

/**
 * Larger files are not checked here, because decoding them takes much memory; the trainer decodes them.
 */
const maxCheckedBytes = 128 * 2 ** 20;
/** Hz. Any rate will do to find out whether a clip can be decoded. */
const sampleRate = 16_000;
/** Number of datasets whose results are remembered. */
const maxRemembered = 1000;

interface Check {
  /** Changes when the folder's content does. */
  readonly folderState: string;
  state: 'running' | 'done';
  checked: number;
  readonly problems: ProblemList;
}

export interface ClipChecksDeps {
  readonly decoder: ClipDecoder;
  readonly list: (folder: string) => Promise<ClipList>;
  /** Called when a check failed for a reason other than the recordings; the next `get` repeats it. */
  readonly onFault: (error: unknown, folder: string) => void;
}

export function createClipChecks({ decoder, list, onFault }: ClipChecksDeps): ClipChecks {
  const checks = new Map<string, Check>();
  const stop = new AbortController();
  const { signal } = stop;
  let lastCheck: Promise<void> = Promise.resolve();

  const isWanted = (folder: string, check: Check): boolean => !signal.aborted && checks.get(folder) === check;
  const run = async (check: Check, folder: string): Promise<void> => {
    if (!isWanted(folder, check)) return;
    const { filenames, files, state } = await list(folder);
    if (state !== check.folderState) {
      // The folder has changed since; the next `get` begins another check.
      checks.delete(folder);
      return;
    }
    for (const [index, file] of files.entries()) {
      if (!isWanted(folder, check)) return;
      const problem = await problemOf(path.join(folder, file), decoder, signal);
      if (problem !== undefined) check.problems.add(`${shownValue(filenames[index]!)}: ${problem}`);
      check.checked++;
    }
    check.state = 'done';
  };
  return {
    get: (folder, folderState) => {
      const existing = checks.get(folder);
      if (existing?.folderState === folderState) return existing;
      const check: Check = { folderState, state: 'running', checked: 0, problems: new ProblemList() };
      if (checks.size >= maxRemembered) checks.delete([...checks.keys()][0]!);
      checks.set(folder, check);
      lastCheck = lastCheck
        .then(() => run(check, folder))
        .catch((caught: unknown) => {
          if (!isWanted(folder, check)) return;
          checks.delete(folder);
          // The dataset has become unreadable; describing it reports that.
          if (caught instanceof AppError && caught.code === 'invalid-dataset') return;
          onFault(caught, folder);
        });
      return check;
    },
    close: async () => {
      stop.abort();
      await lastCheck;
    },
  };
}

async function problemOf(
  file: string,
  decoder: ClipDecoder,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    if ((await stat(file)).size > maxCheckedBytes) return undefined;
    const bytes = await readFile(file);
    const clip = await decoder.decode(bytes, {
      sampleRate,
      maxSeconds: maxClipSeconds,
      signal,
      isBackground: true,
      consume: true,
    });
    decoder.recycle(clip);
    return undefined;
  } catch (caught) {
    if (isUserFixable(caught)) return `it cannot be read (${caught.code})`;
    if (!isClipFault(caught)) throw caught;
    return caught.message;
  }
}
