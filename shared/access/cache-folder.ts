import { accessSync, constants, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isShortage } from '../errors/machine-fault';
import { makePrivateFolderNow, placesBelow } from './private-folder';

/**
 * Where a program of this user keeps what can be fetched or made again: `earshot/KIND` in `$XDG_CACHE_HOME`, else in `~/.cache`. One that
 * nothing can be written to is used as long as it holds something (an image's); an empty one gives way to a folder among the temporary
 * ones that only this user can write to. Where there is none of these, it is the first, and whoever writes there says why not.
 * @throws the system's error where it has too little to look: another folder would be taken for good
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
