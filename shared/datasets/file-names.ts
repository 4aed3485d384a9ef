import { shownValue } from './dataset-problems';
import { nameKey } from './file-index';

/** A set of names of files, separated by `/`, that can lie in one folder on any system. */
export class FileNames {
  /** Names by the key that ignores case and composition. */
  readonly #files = new Map<string, string>();
  readonly #folders = new Set<string>();

  get count(): number {
    return this.#files.size;
  }

  /** The folder that contains all of them; undefined where there is none. */
  get top(): string | undefined {
    const [first] = this.#files.values();
    const top = first?.includes('/') === true ? first.slice(0, first.indexOf('/') + 1) : undefined;
    if (top === undefined) return undefined;
    for (const name of this.#files.values()) if (!name.startsWith(top)) return undefined;
    return top.slice(0, -1);
  }

  /**
   * Adds a name, unless it clashes with another.
   * @returns the clash as text; undefined where there is none
   */
  add(name: string): string | undefined {
    const key = nameKey(name);
    const known = this.#files.get(key);
    if (known === name) return `${shownValue(name)} is there twice`;
    if (known !== undefined) {
      return `${shownValue(known)} and ${shownValue(name)} are one file on other systems; rename one of them`;
    }
    if (this.#folders.has(key)) return `${shownValue(name)} is both a file and a folder`;
    for (let end = key.indexOf('/'); end >= 0; end = key.indexOf('/', end + 1)) {
      const folder = key.slice(0, end);
      if (this.#files.has(folder)) return `${shownValue(name.slice(0, end))} is both a file and a folder`;
      this.#folders.add(folder);
    }
    this.#files.set(key, name);
    return undefined;
  }
}
