import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { datasetNameSchema, type DatasetDetails, type DatasetList } from '../../../shared/contracts/dataset';
import { AppError, isDiskFull } from '../../../shared/errors/app-error';
import { isAlive, syncFolder } from '../../../shared/registry/write-atomically';
import type { ClipChecks } from './check-clips';
import { countClips, problemsOf, readDataset, type ReadDataset } from './describe-dataset';
import { Summaries, type Summary } from './summaries';
import { Intake, syncFolders, type IntakeLimits } from './intake';

/** The datasets in a folder: one folder each, uploaded or put there by hand. */
export interface DatasetStore {
  list(): Promise<DatasetList>;
  /** @throws AppError not-found */
  describe(name: string): Promise<DatasetDetails>;
  /** @throws AppError malformed-request for a bad name, conflict when there is one, overloaded */
  assertFree(name: string): Promise<void>;
  /**
   * Takes a dataset in, whole or not at all: it appears by one rename when all of it is on the disk and its CSV is right.
   * @throws AppError conflict, invalid-dataset (details.problems), storage-full; whatever `fill` throws
   */
  receive(
    name: string,
    fill: (intake: Intake) => Promise<void>,
    signal: AbortSignal,
  ): Promise<DatasetDetails>;
  /** @throws AppError not-found */
  remove(name: string): Promise<void>;
  /** Removes what killed processes left behind. */
  clean(): Promise<void>;
  close(): Promise<void>;
}

const maxDatasets = 1000;
/** Uploads at a time. */
const maxIntakes = 4;
const shownProblems = 200;
const scratchPrefix = '.intake-';
/** What another machine on the same folder left behind: no upload takes so long. */
const abandonedMs = 24 * 3_600_000;

export function createDatasetStore(folder: string, limits: IntakeLimits, checks: ClipChecks): DatasetStore {
  const root = resolve(folder);
  const summaries = new Summaries();
  let intakes = 0;

  const newScratch = (): string => join(root, `${scratchPrefix}${hostname()}-${process.pid}-${randomUUID()}`);
  const names = async (): Promise<string[]> => {
    const entries = await readdir(root).catch(() => []);
    return entries.filter((name) => datasetNameSchema.safeParse(name).success).sort();
  };
  const folderOf = async (name: string): Promise<string> => {
    const found = datasetNameSchema.safeParse(name).success && (await exists(join(root, name)));
    if (found) return join(root, name);
    throw new AppError('not-found', `There is no dataset ${name}; GET /datasets lists what there is.`);
  };
  const details = (name: string, path: string, { listing, problems, state }: ReadDataset): DatasetDetails => {
    const check = checks.of(path, listing, state);
    const all = [...problems, ...check.problems];
    return {
      name,
      ...countClips(listing),
      problemCount: all.length,
      foldsMade: listing.foldsMade,
      problems: all.slice(0, shownProblems),
      check: { state: check.state, checked: check.checked },
    };
  };
  const describe = async (name: string): Promise<DatasetDetails> => {
    const path = await folderOf(name);
    try {
      return details(name, path, await summaries.reading(path, () => readDataset(path)));
    } catch (caught) {
      return unreadable(name, problemsOf(caught));
    }
  };
  /** What the list says of a dataset that has not changed since it was read. */
  const remembered = async (name: string): Promise<Summary | undefined> => {
    const path = join(root, name);
    const summary = await summaries.find(path);
    const check = summary && checks.known(path, summary.state);
    return check && { ...summary, problemCount: summary.problemCount + check.problems.length };
  };
  const assertFree = async (name: string): Promise<void> => {
    const parsed = datasetNameSchema.safeParse(name);
    if (!parsed.success) throw new AppError('malformed-request', `name: ${parsed.error.issues[0]!.message}.`);
    if (await exists(join(root, name))) throw taken(name);
    if (intakes >= maxIntakes) {
      throw new AppError('overloaded', 'Other datasets are being sent; try again when they are here.', {
        details: { retryAfterSeconds: 30 },
      });
    }
    if ((await names()).length >= maxDatasets) {
      throw new AppError('conflict', `There are ${maxDatasets} datasets already: delete one first.`);
    }
  };

  return {
    describe,
    assertFree,
    list: async () => {
      const datasets: DatasetList['datasets'] = [];
      for (const name of await names()) {
        const found = (await remembered(name)) ?? (await describe(name).catch(() => undefined));
        if (found === undefined) continue; // Deleted meanwhile.
        const { clips, classCount, foldCount, problemCount } = found;
        datasets.push({ name, clips, classCount, foldCount, problemCount });
      }
      return { datasets };
    },
    receive: async (name, fill, signal) => {
      await assertFree(name);
      const scratch = newScratch();
      intakes++;
      try {
        await mkdir(join(scratch, 'content'), { recursive: true });
        const intake = new Intake(scratch, limits);
        await fill(intake);
        await intake.complete(signal);
        const { problems } = await readDataset(intake.folder).catch((caught: unknown) => ({
          problems: problemsOf(caught),
        }));
        if (problems.length > 0) throw invalid(problems);
        signal.throwIfAborted();
        await syncFolders(intake.folder);
        await rename(intake.folder, join(root, name));
        await syncFolder(root);
        return await describe(name);
      } catch (caught) {
        throw translate(caught, name);
      } finally {
        intakes--;
        await rm(scratch, { recursive: true, force: true });
      }
    },
    remove: async (name) => {
      const path = await folderOf(name);
      const scratch = newScratch();
      summaries.forget(path);
      // Gone for everybody at once; a link goes, what it leads to stays.
      await rename(path, scratch);
      await syncFolder(root);
      await rm(scratch, { recursive: true, force: true });
    },
    clean: async () => {
      const entries = await readdir(root).catch(() => []);
      for (const name of entries) {
        if (name.startsWith(scratchPrefix) && (await isAbandoned(root, name))) {
          await rm(join(root, name), { recursive: true, force: true });
        }
      }
    },
    close: () => checks.close(),
  };
}

/** Of a process that is gone; one that had our number is: in a container every start has the same. */
async function isAbandoned(root: string, name: string): Promise<boolean> {
  const own = `${scratchPrefix}${hostname()}-`;
  if (name.startsWith(own)) {
    const pid = Number(name.slice(own.length).split('-')[0]);
    return pid === process.pid || !isAlive(pid);
  }
  const found = await lstat(join(root, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedMs;
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

function unreadable(name: string, problems: readonly string[]): DatasetDetails {
  return {
    ...{ name, clips: 0, classCount: 0, foldCount: 0, foldsMade: false, classes: [] },
    problemCount: problems.length,
    problems: problems.slice(0, shownProblems),
    check: { state: 'done', checked: 0 },
  };
}

function taken(name: string): AppError {
  return new AppError('conflict', `There is a dataset ${name} already: delete it, or choose another name.`);
}

function invalid(problems: readonly string[]): AppError {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new AppError('invalid-dataset', `The dataset has ${count}; the first: ${problems[0]!}.`, {
    details: { problems: problems.slice(0, shownProblems).map((message) => ({ at: 'dataset', message })) },
  });
}

function translate(caught: unknown, name: string): unknown {
  const code = (caught as NodeJS.ErrnoException).code ?? '';
  if (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(code)) return taken(name);
  if (isDiskFull(caught)) {
    return new AppError('storage-full', 'There is no room for this dataset; nothing of it was kept.', {
      cause: caught,
    });
  }
  return caught;
}
