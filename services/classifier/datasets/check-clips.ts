import { readFile } from 'node:fs/promises';
import type { ClipDecoder } from '../../../shared/audio/clip';
import { findClip, isClipFault, maxClipSeconds } from '../../../shared/datasets/clip-file';
import type { DatasetListing } from '../../../shared/datasets/dataset-csv';

/** What is known of a dataset's clips. */
export interface ClipCheck {
  readonly state: 'running' | 'done';
  readonly checked: number;
  readonly problems: readonly string[];
}

/** Decodes every clip once, one at a time, so that recordings that callers wait for are hardly held up. */
export interface ClipChecks {
  /** What is known by now; begins a check when there is none of the folder as it is. */
  of(folder: string, listing: DatasetListing, state: string): ClipCheck;
  /** The same, of a check that was begun; undefined: there is none of the folder as it is. */
  known(folder: string, state: string): ClipCheck | undefined;
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
  readonly problems: string[];
}

export function createClipChecks(decoder: ClipDecoder): ClipChecks {
  const checks = new Map<string, Running>();
  const stop = new AbortController();
  const { signal } = stop;
  let last: Promise<void> = Promise.resolve();

  const run = async (check: Running, folder: string, listing: DatasetListing): Promise<void> => {
    for (const { filename } of listing.rows) {
      if (signal.aborted || checks.get(folder) !== check) return;
      const found = await findClip(folder, listing.csvFile, filename);
      const problem = found === undefined ? undefined : await problemOf(found, filename, decoder, signal);
      if (problem !== undefined) check.problems.push(problem);
      check.checked++;
    }
    check.state = 'done';
  };
  const known: ClipChecks['known'] = (folder, state) => {
    const check = checks.get(folder);
    return check?.of === state ? check : undefined;
  };
  return {
    known,
    of: (folder, listing, state) => {
      const begun = known(folder, state);
      if (begun !== undefined) return begun;
      const check: Running = { of: state, state: 'running', checked: 0, problems: [] };
      if (checks.size >= maxRemembered) checks.delete([...checks.keys()][0]!);
      checks.set(folder, check);
      last = last
        .then(() => run(check, folder, listing))
        // What could not be found out is tried again when somebody asks.
        .catch(() => void checks.delete(folder));
      return check;
    },
    close: async () => {
      stop.abort();
      await last;
    },
  };
}

async function problemOf(
  { file, bytes }: { readonly file: string; readonly bytes: number },
  filename: string,
  decoder: ClipDecoder,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (bytes > maxCheckedBytes) return undefined;
  try {
    await decoder.decode(await readFile(file), {
      sampleRate,
      maxSeconds: maxClipSeconds,
      isBackground: true,
      signal,
    });
    return undefined;
  } catch (caught) {
    if (!isClipFault(caught)) throw caught;
    return `${filename}: ${caught.message}`;
  }
}
