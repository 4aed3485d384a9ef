import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { datasetNameSchema, type DatasetDetails, type DatasetList } from '../../../shared/contracts/dataset';
import { ProblemList, type DatasetProblems } from '../../../shared/datasets/dataset-problems';
import { AppError, isDiskFull } from '../../../shared/errors/app-error';
import { isAbsent, isShortage } from '../../../shared/errors/machine-fault';
import type { Logger } from '../../../shared/observability/logger';
import { isAlive, syncFolder } from '../../../shared/runtime/write-atomically';
import { createClipChecks, type ClipCheck } from './check-clips';
import { DatasetReadings } from './dataset-readings';
import type { DatasetThread } from './dataset-thread';
import { Intake, syncFolders, type IntakeLimits } from './intake';

/** The datasets in a folder, one subfolder each; they are uploaded or copied there by hand. */
export interface DatasetStore {
  list(): Promise<DatasetList>;
  /** @throws AppError not-found */
  describe(name: string): Promise<DatasetDetails>;
  /** Checks that a name is valid and unused. @throws AppError malformed-request, conflict, overloaded */
  assertFree(name: string): Promise<void>;
  /**
   * Stores a dataset atomically: a single rename makes it visible, after all of it is on the disk and
   * its CSV has been checked.
   * @param fill adds the sent files to the intake
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
/** Largest number of uploads at a time. */
const maxIntakes = 4;
const scratchPrefix = '.intake-';
/** Age at which a scratch folder of another machine counts as abandoned: no upload takes so long. */
const abandonedMs = 24 * 3_600_000;

export interface DatasetStoreDeps {
  readonly thread: DatasetThread;
  readonly decoder: ClipDecoder;
  readonly logger: Logger;
}

export function createDatasetStore(
  folder: string,
  limits: IntakeLimits,
  { thread, decoder, logger }: DatasetStoreDeps,
): DatasetStore {
  const root = resolve(folder);
  const readings = new DatasetReadings((path) => thread.describe(path));
  const checks = createClipChecks({
    decoder,
    list: (path) => thread.list(path),
    onFault: (err, path) => {
      logger.error({ err, dataset: basename(path) }, 'the clips of a dataset could not be checked');
    },
  });
  let intakes = 0;

  const newScratch = (): string => join(root, `${scratchPrefix}${hostname()}-${process.pid}-${randomUUID()}`);
  const names = async (): Promise<string[]> => {
    const entries = await entriesOf(root);
    return entries.filter((name) => datasetNameSchema.safeParse(name).success).sort();
  };
  const folderOf = async (name: string): Promise<string> => {
    const found = datasetNameSchema.safeParse(name).success && (await exists(join(root, name)));
    if (found) return join(root, name);
    throw new AppError('not-found', `There is no dataset ${name}; GET /datasets lists what there is.`);
  };
  const describe = async (name: string): Promise<DatasetDetails> => {
    const path = await folderOf(name);
    const { problems, places, state, ...counts } = await readings.get(path);
    const isReadable = places.length > 0;
    // It may have been deleted while it was read.
    if (!isReadable) await folderOf(name);
    const check = isReadable ? checks.get(path, state) : nothingToCheck;
    const all = new ProblemList();
    all.addAll(problems);
    all.addAll(check.problems);
    return {
      name,
      ...counts,
      problemCount: all.count,
      problems: all.shown,
      check: { state: check.state, checked: check.checked },
    };
  };
  const assertFree = async (name: string): Promise<void> => {
    const parsed = datasetNameSchema.safeParse(name);
    if (!parsed.success) throw new AppError('malformed-request', `name: ${parsed.error.issues[0]!.message}.`);
    if (await exists(join(root, name))) throw nameTaken(name);
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
        const found = await describe(name).catch(ignoreNotFound);
        if (found === undefined) continue;
        const { clips, classCount, foldCount, problemCount } = found;
        datasets.push({ name, clips, classCount, foldCount, problemCount });
      }
      return { datasets };
    },
    receive: async (name, fill, signal) => {
      await assertFree(name);
      const scratch = newScratch();
      const intake = new Intake(scratch, limits, (order, wanted) => thread.unpack(order, wanted));
      intakes++;
      try {
        await makeScratch(join(scratch, 'content'));
        await fill(intake);
        const content = await intake.complete(signal);
        const { problems } = await thread.describe(content, signal);
        if (problems.count > 0) throw invalidDataset(problems);
        signal.throwIfAborted();
        await syncFolders(content);
        await rename(content, join(root, name)).catch((caught: unknown) => {
          throw isTaken(caught) ? nameTaken(name) : caught;
        });
        await syncFolder(root);
        return await describe(name);
      } catch (caught) {
        throw toStorageError(caught);
      } finally {
        intakes--;
        await intake.close();
        // A file in it may still be being opened, hence the retries.
        await rm(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }).catch(
          (err: unknown) => {
            logger.error(
              { err },
              'what was left of an upload could not be removed; it goes at the next start',
            );
          },
        );
      }
    },
    remove: async (name) => {
      const path = await folderOf(name);
      const scratch = newScratch();
      readings.forget(path);
      // The rename removes the dataset at once. Of a symbolic link only the link is removed.
      await rename(path, scratch);
      await syncFolder(root);
      await rm(scratch, { recursive: true, force: true });
    },
    clean: async () => {
      for (const name of await entriesOf(root)) {
        if (name.startsWith(scratchPrefix) && (await isAbandoned(root, name))) {
          await rm(join(root, name), { recursive: true, force: true });
        }
      }
    },
    close: async () => {
      await Promise.all([thread.close(), checks.close()]);
    },
  };
}

/**
 * Whether the process that made a scratch folder has ended. A folder with our own process ID is from an
 * earlier start: in a container every start has the same ID.
 */
async function isAbandoned(root: string, name: string): Promise<boolean> {
  const own = `${scratchPrefix}${hostname()}-`;
  if (name.startsWith(own)) {
    const pid = Number(name.slice(own.length).split('-')[0]);
    return pid === process.pid || !isAlive(pid);
  }
  const found = await lstat(join(root, name)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > abandonedMs;
}

/**
 * Names in DATASETS_DIR; none where it does not exist yet.
 * @throws AppError unreachable where it cannot be read: a file is in its place, for example; a shortage
 *   of file handles as it is
 */
async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((cause: unknown) => {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    if (isShortage(cause)) throw cause;
    const message = `DATASETS_DIR cannot be read (${code}): name a folder that can be.`;
    throw new AppError('unreachable', message, { cause });
  });
}

/**
 * Creates a scratch folder.
 * @throws AppError storage-full where DATASETS_DIR cannot be created or written to; a full disk or a
 *   shortage of file handles as it is
 */
async function makeScratch(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    if (isShortage(cause) || isDiskFull(cause)) throw cause;
    const message = 'DATASETS_DIR cannot be written to: name a folder that can be.';
    throw new AppError('storage-full', message, { cause });
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (caught) {
    if (isAbsent(caught)) return false;
    throw caught;
  }
}

function ignoreNotFound(caught: unknown): undefined {
  if (AppError.from(caught).code !== 'not-found') throw caught;
}

const nothingToCheck: ClipCheck = { state: 'done', checked: 0, problems: new ProblemList() };

function nameTaken(name: string): AppError {
  return new AppError('conflict', `There is a dataset ${name} already: delete it, or choose another name.`);
}

function isTaken(caught: unknown): boolean {
  return ['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes((caught as NodeJS.ErrnoException).code ?? '');
}

function invalidDataset({ shown, count }: DatasetProblems): AppError {
  const found = count === 1 ? 'a problem' : `${count} problems; the first`;
  return new AppError('invalid-dataset', `The dataset has ${found}: ${shown[0]!}.`, {
    details: { problems: shown.map((message) => ({ at: 'dataset', message })) },
  });
}

function toStorageError(caught: unknown): unknown {
  if (!isDiskFull(caught)) return caught;
  return new AppError('storage-full', 'There is no room for this dataset; nothing of it was kept.', {
    cause: caught,
  });
}
