import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isShortage } from '../errors/machine-fault';
import { makePrivateFolderNow, placesBelow } from './private-folder';

/**
 * Returns this user's cache folder: `earshot/KIND` in `$XDG_CACHE_HOME`, or else in `~/.cache`. A
 * read-only folder is used if it contains something, as in an image. Otherwise a private folder among
 * the temporary ones is used. Where none is usable, the first is returned, and a write there reports the
 * reason.
 * @throws the system's error where it lacks a resource to look, because the wrong folder would be
 * remembered
 */
export function cacheFolder(kind: string, env: NodeJS.ProcessEnv): string {
  const { places, temporary } = placesBelow(env);
  const preferred = places.map((place) => join(place, 'earshot', kind));
  const own = temporary.map((place) => join(place, kind));
  const usable =
    preferred.find((folder) => holdsSomething(folder) || isWritable(folder)) ??
    own.find((_, index) => makePrivateFolderNow(temporary[index]!));
  return usable ?? preferred[0] ?? own[0]!;
}

function holdsSomething(folder: string): boolean {
  try {
    return readdirSync(folder).length > 0;
  } catch (caught) {
    if (isShortage(caught)) throw caught;
    return false;
  }
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch (caught) {
    if (isShortage(caught)) throw caught;
    return false;
  }
}
