import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';

export interface PageAsset {
  readonly type: string;
  readonly body: Buffer;
  /** Compressed, where that helps. */
  readonly gzipped: Buffer | undefined;
}

/** The page as it is sent: all of it in memory, a few hundred kilobytes. */
export interface PageAssets {
  /** The document at `/`, which names the folder of everything else. */
  readonly document: PageAsset;
  /**
   * Changes with any byte of any file, and is part of every file's address: what has one never changes.
   */
  readonly digest: string;
  /** The files, by their path below that folder. */
  readonly files: ReadonlyMap<string, PageAsset>;
}

const documentFile = 'static/index.html';
/**
 * Where the browser starts; what these import comes along. A worklet is fetched by code, not by an
 * import.
 */
const scripts = ['main.js', 'listen/capture-worklet.js'].map((name) => `services/classifier/page/${name}`);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ogg': 'audio/ogg',
};

/**
 * Reads what build.mjs put into `folder`.
 * @throws Error when the page was not built
 */
export function loadPageAssets(folder: string): PageAssets {
  const modules = scripts.flatMap((script) => moduleGraph(folder, script));
  const others = ['static', 'samples'].flatMap((name) =>
    readdirSync(join(folder, name))
      .filter((file) => extname(file) in types)
      .map((file) => `${name}/${file}`),
  );
  const paths = [...new Set([...modules, ...others])].sort();
  const files = new Map(paths.map((path) => [path, toAsset(path, readFileSync(join(folder, path)))]));

  const hash = createHash('sha256');
  for (const [path, { body }] of files) hash.update(`${path} ${body.length}\n`).update(body);
  const digest = hash.digest('base64url').slice(0, 16);

  const base = `page/${digest}`;
  // Without these the browser would learn of each module only from the one that imports it.
  const preloads = modules.map((path) => `<link rel="modulepreload" href="${base}/${path}">`).join('\n    ');
  const template = files.get(documentFile)!.body.toString('utf8');
  const html = template.replaceAll('{{base}}', base).replace('<!-- preloads -->', preloads);
  files.delete(documentFile);
  return { document: toAsset(documentFile, Buffer.from(html)), digest, files };
}

function toAsset(path: string, body: Buffer): PageAsset {
  return {
    type: types[extname(path)]!,
    body,
    gzipped: extname(path) === '.ogg' ? undefined : gzipSync(body),
  };
}

/** A module and everything that it imports, as the compiler wrote it. */
function moduleGraph(folder: string, path: string, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const source = readFileSync(join(folder, path), 'utf8');
  const imported = [...source.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)";$/gm)].map((match) =>
    posix.join(posix.dirname(path), match[1]!),
  );
  return [path, ...imported.flatMap((next) => moduleGraph(folder, next, seen))];
}
