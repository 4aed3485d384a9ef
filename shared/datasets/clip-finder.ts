import path from 'node:path';
import { shownList, shownValue } from './dataset-problems';
import type { FileIndex } from './file-index';

/** The name of a recording in the CSV, in a form that does not depend on the system. */
export interface ClipName {
  readonly written: string;
  /** Composed (NFC), normalised, separated by `/`, without drive or root. */
  readonly path: string;
  readonly isAbsolute: boolean;
}

export type FoundClip =
  | { readonly kind: 'file'; readonly file: string }
  /** The name leads out of the folder, or fits several files. */
  | { readonly kind: 'wrong'; readonly problem: string }
  | { readonly kind: 'missing'; readonly problem: string };

const drive = /^[a-z]:(?=\/)/i;
/** How many of the folders that all names begin with may belong to the dataset itself. */
const maxOwnFolders = 8;

/** Converts a name of the CSV. Backslashes count as Windows' separators. */
export function clipName(written: string): ClipName {
  const slashed = written.normalize('NFC').replaceAll('\\', '/');
  const rooted = slashed.replace(drive, '');
  const isAbsolute = rooted.startsWith('/');
  const relative = rooted.replace(/^\/+/, '');
  return { written, path: relative === '' ? '' : path.posix.normalize(relative), isAbsolute };
}

/**
 * Creates a function that finds the recordings named by a CSV: in `audio/`, beside the CSV, in the
 * dataset's folder, or anywhere if only one file has that name. For names with folders of another
 * machine (`C:\me\kitchen\a.wav`), the folders that all names begin with are dropped.
 * @param csvName relative to the dataset's folder
 * @param names all names in the CSV
 */
export function createClipFinder(
  index: FileIndex,
  csvName: string,
  names: readonly ClipName[],
): (name: ClipName) => FoundClip {
  const csvFolder = path.posix.dirname(csvName);
  const parent = path.posix.dirname(csvFolder);
  const bases = [
    ...new Set([
      'audio',
      csvFolder,
      '.',
      path.posix.join(csvFolder, 'audio'),
      path.posix.join(parent, 'audio'),
      parent,
    ]),
  ];
  const shared = sharedFolders(names);

  const direct = (name: string): readonly string[] => {
    for (const base of bases) {
      const place = path.posix.join(base, name);
      if (leadsOut(place)) continue;
      const found = index.at(place);
      if (found.length > 0) return found;
    }
    return [];
  };
  const findByName = ({ path: name, isAbsolute }: ClipName): readonly string[] => {
    const parts = name.split('/');
    const first = Math.max(0, shared - maxOwnFolders);
    const tried = Array.from({ length: shared - first + 1 }, (_, at) => first + at);
    for (const skipped of isAbsolute || first === 0 ? tried : [0, ...tried]) {
      const rest = parts.slice(skipped).join('/');
      const found = direct(rest);
      if (found.length > 0) return found;
      const ending = parts.includes('..') ? [] : index.endingIn(rest);
      if (ending.length > 0) return ending;
    }
    return [];
  };
  return (name) => {
    const found = findByName(name);
    if (found.length === 1) return { kind: 'file', file: found[0]! };
    const written = shownValue(name.written);
    if (found.length > 1) {
      return {
        kind: 'wrong',
        problem: `${written} could be ${shownList(found)}; write the name as it is, folders included`,
      };
    }
    if (name.isAbsolute) {
      return {
        kind: 'wrong',
        problem: `${written} is not in the dataset's folder; write names relative to it`,
      };
    }
    if (leadsOut(name.path)) {
      return { kind: 'wrong', problem: `${written} leads out of the dataset's folder` };
    }
    const like = index.withStemOf(name.path);
    const hint = like.length === 0 ? '' : `; there is ${shownList(like)}`;
    return { kind: 'missing', problem: `${shownValue(name.path)} is missing${hint}` };
  };
}

function leadsOut(name: string): boolean {
  return name === '..' || name.startsWith('../');
}

/** Returns how many folders all names begin with. */
function sharedFolders(names: readonly ClipName[]): number {
  let shared: string[] | undefined;
  for (const { path: name } of names) {
    const folders = name.split('/').slice(0, -1);
    shared ??= folders;
    const differs = shared.findIndex((folder, at) => folder !== folders[at]);
    if (differs >= 0) shared = shared.slice(0, differs);
  }
  return shared?.length ?? 0;
}
