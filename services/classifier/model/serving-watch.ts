import { watch, type FSWatcher } from 'node:fs';
import { isServingFile, newestGeneration } from '../../../shared/registry/serving-state';

/** Network file systems tell nobody of what other machines write: this often somebody looks. */
const lookMs = 2000;

/**
 * Calls `onChange` when a generation newer than before stands in `folder`, and at every look while
 * `isBehind` says that the last one could not be followed.
 * @returns what ends it
 */
export function watchServing(folder: string, onChange: () => void, isBehind: () => boolean): () => void {
  let seen: number | undefined;
  const look = async (): Promise<void> => {
    // A folder that cannot be read is news the first time: whoever follows says why, and is behind.
    const newest = await newestGeneration(folder).catch(() => undefined);
    const isNews = seen !== undefined && newest !== seen;
    seen = newest;
    if (isNews || isBehind()) onChange();
  };
  const watcher = watchFolder(folder, (name) => {
    if (isServingFile(name)) onChange();
  });
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  void look();
  return () => {
    watcher?.close();
    clearInterval(timer);
  };
}

/** Undefined where the folder cannot be watched: looking is enough then. */
function watchFolder(folder: string, onName: (name: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      onName(name ?? '');
    });
    watcher.on('error', () => {
      watcher.close();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
