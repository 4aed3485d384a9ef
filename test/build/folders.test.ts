import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const root = join(__dirname, '../../..');
const sources = ['services', 'shared'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(folder, path)),
);
const known = new Set(sources);

/** The folders that a file imports from, its own apart. */
function foldersOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const imports = Array.from(text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g), ([, path]) =>
    normalize(join(dirname(file), `${path!.replace(/\.js$/, '')}.ts`)),
  );
  const folders = imports.filter((path) => known.has(path)).map((path) => dirname(path));
  return folders.filter((folder) => folder !== dirname(file));
}

const mostFiles = 12;

describe('the folders of the sources', () => {
  it('never import each other in both directions', () => {
    const edges = new Set(
      sources.flatMap((file) => foldersOf(file).map((folder) => `${dirname(file)} <-> ${folder}`)),
    );
    const reversed = (edge: string): string => edge.split(' <-> ').reverse().join(' <-> ');
    const mutual = [...edges].filter((edge) => edges.has(reversed(edge)) && edge < reversed(edge));
    expect(edges.size).toBeGreaterThan(50);
    expect(mutual).toEqual([]);
  });

  it(`hold at most ${mostFiles} files each, in the services`, () => {
    const folders = sources.map((file) => dirname(file)).filter((folder) => folder.startsWith('services/'));
    const counts = new Map([...new Set(folders)].map((folder) => [folder, 0]));
    for (const folder of folders) counts.set(folder, counts.get(folder)! + 1);
    expect([...counts].filter(([, files]) => files > mostFiles)).toEqual([]);
  });
});
