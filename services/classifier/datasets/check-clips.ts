import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { isClipFault, maxClipSeconds } from '../../../shared/datasets/clip-file';
import { ProblemList, shownValue, type DatasetProblems } from '../../../shared/datasets/dataset-problems';
import { isUsersFault } from '../../../shared/datasets/file-index';
import { AppError } from '../../../shared/errors/app-error';
import type { ClipList } from './describe-dataset';

/** What is known of a dataset's clips. */
export interface ClipCheck {
  readonly state: 'running' | 'done';
  readonly checked: number;
  readonly problems: DatasetProblems;
}

/** Decodes every clip once, one at a time, so that recordings that callers wait for are hardly held up. */
export interface ClipChecks {
  /** What is known by now; begins a check when there is none of the folder as it is. */
  of(folder: string, state: string): ClipCheck;
  close(): Promise<void>;
}

/** What would take much of the service's memory to decode is left to the trainer. */
const maxCheckedBytes = 128 * 2 ** 20;
/** Any rate will do to see whether a clip can be decoded. */
const sampleRate = 16_000;
/** The results of so many datasets are remembered. */
const maxRemembered = 1000;

interface Running {
  /** Changes when the folder does. */
  readonly of: string;
  state: 'running' | 'done';
  checked: number;
  readonly problems: ProblemList;
}

export interface ClipChecksDeps {
  readonly decoder: ClipDecoder;
  readonly list: (folder: string) => Promise<ClipList>;
  /** A check could not be made, for what is not the recordings' fault; the next who asks begins it again. */
  readonly onFault: (error: unknown, folder: string) => void;
}

export function createClipChecks({ decoder, list, onFault }: ClipChecksDeps): ClipChecks {
  const checks = new Map<string, Running>();
  const stop = new AbortController();
  const { signal } = stop;
  let last: Promise<void> = Promise.resolve();

  const isWanted = (folder: string, check: Running): boolean =>
    !signal.aborted && checks.get(folder) === check;
  const run = async (check: Running, folder: string): Promise<void> => {
    if (!isWanted(folder, check)) return;
    const { filenames, files, state } = await list(folder);
    if (state !== check.of) {
      // Changed since: whoever asks again begins another check.
      checks.delete(folder);
      return;
    }
    for (const [at, file] of files.entries()) {
      if (!isWanted(folder, check)) return;
      const problem = await problemOf(path.join(folder, file), decoder, signal);
      if (problem !== undefined) check.problems.add(`${shownValue(filenames[at]!)}: ${problem}`);
      check.checked++;
    }
    check.state = 'done';
  };
  return {
    of: (folder, state) => {
      const begun = checks.get(folder);
      if (begun?.of === state) return begun;
      const check: Running = { of: state, state: 'running', checked: 0, problems: new ProblemList() };
      if (checks.size >= maxRemembered) checks.delete([...checks.keys()][0]!);
      checks.set(folder, check);
      last = last
        .then(() => run(check, folder))
        .catch((caught: unknown) => {
          if (!isWanted(folder, check)) return;
          checks.delete(folder);
          // It cannot be read any more, as whoever asks is told.
          if (caught instanceof AppError && caught.code === 'invalid-dataset') return;
          onFault(caught, folder);
        });
      return check;
    },
    close: async () => {
      stop.abort();
      await last;
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
    const background = { isBackground: true, consume: true };
    await decoder.decode(bytes, { sampleRate, maxSeconds: maxClipSeconds, signal, ...background });
    return undefined;
  } catch (caught) {
    if (isUsersFault(caught)) return `it cannot be read (${caught.code})`;
    if (!isClipFault(caught)) throw caught;
    return caught.message;
  }
}
