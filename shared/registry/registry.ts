import type { Stats } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { compositionFault, isMultiLabel } from '../contracts/members';
import { manifestFormat, manifestSchema, type Manifest } from '../contracts/manifest';
import { AppError } from '../errors/app-error';
import { isAbsent, isShortage } from '../errors/machine-fault';
import { fileSha256 } from '../runtime/file-sha256';
import { readServingState } from './serving-state';
import { unreadable } from './unreadable';
import { weightsFileNames } from './weights-file';
import { removeLeftovers, writeFolderAtomically, type FolderContent } from '../runtime/write-atomically';

/** A folder in models/ that can be served. */
export interface Version {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** A folder in models/ that cannot be served, with the reason. */
interface BrokenVersion {
  readonly name: string;
  readonly problem: string;
}

export interface RegistryListing {
  /** Sorted, best first: by validation accuracy, then lower validation loss, then name. */
  readonly versions: readonly Version[];
  readonly broken: readonly BrokenVersion[];
}

export interface Registry {
  /**
   * Returns all versions, with manifest and weights checked (schema, size, SHA-256).
   * @throws a shortage of the system unchanged, because a version that could not be read is not broken;
   * AppError invalid-checkpoint when the folder exists and cannot be read
   */
  list(): Promise<RegistryListing>;
  /**
   * Returns one version, checked as in `list`.
   * @throws AppError not-found, invalid-checkpoint; a shortage of the system unchanged
   */
  read(name: string): Promise<Version>;
  /**
   * Returns the versions that can be served, the preferred one first: only `forced` if given; otherwise
   * the one that serving-state names, then those that it served before; otherwise, where no state was
   * ever written, the best.
   * @throws AppError invalid-checkpoint when there is none, or `forced` is missing or broken; a shortage
   * of the system unchanged
   */
  candidates(forced?: string): Promise<readonly [Version, ...Version[]]>;
  /**
   * Returns the first of `candidates`.
   * @throws as `candidates`
   */
  choose(forced?: string): Promise<Version>;
  /**
   * Adds a version completely or not at all.
   * @throws AppError invalid-checkpoint when the name is taken, conflict when the scratch folder was
   * removed meanwhile
   */
  publish(manifest: Manifest, content: FolderContent): Promise<Version>;
}

/** The folder of small encoders, among the versions. */
export const encodersFolder = 'encoders';

export const manifestFileName = 'manifest.json';

/**
 * Opens the versions in `folder`. They are read again at every call, because trainers add versions while
 * services run.
 * @param scratchFolder where versions are assembled, on the same file system; absent: in `folder`
 */
export function openRegistry(
  folder: string,
  { scratchFolder }: { readonly scratchFolder?: string } = {},
): Registry {
  const list = async (): Promise<RegistryListing> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch((caught: unknown) => {
      if (isAbsent(caught)) return [];
      throw unreadable(resolve(folder), caught);
    });
    const versions: Version[] = [];
    const broken: BrokenVersion[] = [];
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === encodersFolder) continue;
      try {
        versions.push(await readVersion(join(folder, entry.name), entry.name));
      } catch (error) {
        if (isShortage(error)) throw error;
        broken.push({ name: entry.name, problem: AppError.from(error).message });
      }
    }
    return { versions: versions.sort(bestFirst), broken };
  };
  const candidates: Registry['candidates'] = async (forced) => {
    const { versions, broken } = await list();
    const named = (name: string | null | undefined): Version[] =>
      versions.filter(({ manifest }) => manifest.version === name);
    const { state } = await readServingState(folder);
    const [first, ...others] =
      forced === undefined
        ? new Set([state?.pinned, state?.current, ...(state?.previous ?? [])].flatMap(named).concat(versions))
        : named(forced);
    if (first === undefined) throw nothingToServe(folder, forced, broken);
    return [first, ...others];
  };
  return {
    list,
    read: async (name) => {
      const known = manifestSchema.shape.version.safeParse(name).success;
      const entry = known ? await statIfThere(join(folder, name)) : undefined;
      if (entry?.isDirectory() === true) return readVersion(join(folder, name), name);
      throw new AppError('not-found', 'There is no such version; GET /models lists those that there are.');
    },
    candidates,
    choose: async (forced) => (await candidates(forced))[0],
    publish: async (manifest, content) => {
      const versionFolder = join(folder, manifest.version);
      await removeLeftovers(folder);
      try {
        const whole = { ...content, [manifestFileName]: `${JSON.stringify(manifest, null, 2)}\n` };
        await writeFolderAtomically(versionFolder, whole, scratchFolder);
      } catch (cause) {
        const code = (cause as NodeJS.ErrnoException).code ?? '';
        if (code === 'ENOENT' && scratchFolder !== undefined) {
          throw new AppError(
            'conflict',
            'This job was overtaken by a later attempt: nothing was published.',
            {
              cause,
            },
          );
        }
        if (!['ENOTEMPTY', 'EEXIST'].includes(code)) throw cause;
        throw new AppError('invalid-checkpoint', `The version ${manifest.version} exists already.`, {
          cause,
        });
      }
      return { folder: versionFolder, manifest };
    },
  };
}

/**
 * Sorts versions, best first. A multi-label version comes last, because its answers have another form
 * than callers may expect.
 */
function bestFirst(a: Version, b: Version): number {
  const [first, second] = [a.manifest, b.manifest];
  return (
    Number(isMultiLabel(first)) - Number(isMultiLabel(second)) ||
    second.metrics.validationAccuracy - first.metrics.validationAccuracy ||
    first.metrics.validationLoss - second.metrics.validationLoss ||
    first.version.localeCompare(second.version)
  );
}

function nothingToServe(
  folder: string,
  pinned: string | undefined,
  broken: readonly BrokenVersion[],
): AppError {
  const reasons = broken.map(({ name, problem }) => `${name}: ${problem}`);
  const what =
    pinned === undefined
      ? `No version to serve in ${folder}: train one with \`npm run train\`.`
      : `The pinned version ${pinned} is not in ${folder} or is broken.`;
  return new AppError('invalid-checkpoint', [what, ...reasons].join(' '), { details: { broken } });
}

async function statIfThere(place: string): Promise<Stats | undefined> {
  try {
    return await stat(place);
  } catch (caught) {
    if (isAbsent(caught)) return undefined;
    throw unreadable('The version', caught);
  }
}

async function readVersion(folder: string, name: string): Promise<Version> {
  const text = await readFile(join(folder, manifestFileName), 'utf8').catch((caught: unknown) => {
    throw unreadable(manifestFileName, caught);
  });
  const manifest = parseManifest(text);
  if (manifest.version !== name) {
    throw new AppError('invalid-checkpoint', `The manifest is of ${manifest.version}.`);
  }
  const weightsFile = join(folder, weightsFileNames.bytes);
  const missing = (caught: unknown): never => {
    throw unreadable(weightsFileNames.bytes, caught);
  };
  const { size } = await stat(weightsFile).catch(missing);
  if (size !== manifest.weights.bytes) {
    const message = `${weightsFileNames.bytes} has ${size} bytes, its manifest says ${manifest.weights.bytes}.`;
    throw new AppError('invalid-checkpoint', message);
  }
  if ((await fileSha256(weightsFile).catch(missing)) !== manifest.weights.sha256) {
    throw new AppError(
      'invalid-checkpoint',
      `${weightsFileNames.bytes} does not have its manifest's sha256.`,
    );
  }
  return { folder, manifest };
}

/** Checks what no field shows by itself: how members and front ends fit, and the thresholds. */
function checked(manifest: Manifest): Manifest {
  const { classes, calibration } = manifest;
  const thresholds = calibration?.thresholds;
  const fault = compositionFault(manifest);
  if (fault !== undefined) throw new AppError('invalid-checkpoint', `${manifestFileName}: ${fault}.`);
  if (isMultiLabel(manifest) ? thresholds?.length !== classes.length : thresholds !== undefined) {
    const message = `${manifestFileName}: calibration.thresholds: a multi-label version, and no other, has one for each class.`;
    throw new AppError('invalid-checkpoint', message);
  }
  return manifest;
}

function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid-checkpoint', `${manifestFileName} is not JSON.`, { cause });
  }
  assertFormat(json);
  const parsed = manifestSchema.safeParse(json);
  if (parsed.success) return checked(parsed.data);
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  const remedy = isOfUnknownKind(issue)
    ? '; this release does not know it: train the version anew, or serve it with the release that made it'
    : '';
  const message = `${manifestFileName}: ${where}: ${issue?.message ?? 'invalid'}${remedy}.`;
  throw new AppError('invalid-checkpoint', message);
}

/** Whether a front end, a network or an optimiser is of none of the kinds that there are. */
function isOfUnknownKind(issue: z.core.$ZodIssue | undefined): boolean {
  return issue?.code === 'invalid_union' && issue.discriminator !== undefined;
}

const formatSchema = z.looseObject({ formatVersion: z.number() });

/** @throws AppError invalid-checkpoint for a manifest of another release, with what to do */
function assertFormat(json: unknown): void {
  const { formatVersion } = formatSchema.safeParse(json).data ?? {};
  if (formatVersion === undefined || formatVersion === manifestFormat) return;
  const remedy =
    formatVersion < manifestFormat
      ? 'train the version anew, or serve it with the release that made it'
      : 'it was made by a later release: serve it with that one';
  const message = `${manifestFileName} is of format ${formatVersion}, and this release reads format ${manifestFormat}: ${remedy}.`;
  throw new AppError('invalid-checkpoint', message);
}
