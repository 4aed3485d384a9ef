// `node build.mjs`: what runs, from what is written: dist/ from services/, shared/, test/ and bench/, each file by itself, and
// dist/page/ for browsers. Types are not looked at; `npm run types` does that. It needs no development package.
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build, transform } from 'esbuild';

const project = import.meta.dirname;
const outputFolder = join(project, 'dist');
const sourceFolders = ['services', 'shared', 'test', 'bench'];
const pageFolder = join('services', 'classifier', 'page');
/** Where browsers begin; what these import comes along. A worklet is fetched by code, not by an import. */
const pageScripts = ['main.ts', join('listen', 'capture-worklet.ts')].map((name) => join(pageFolder, name));

const language = {
  charset: 'utf8',
  logLevel: 'error',
  // tsconfig.json extends a package that is only installed for development.
  tsconfigRaw: { compilerOptions: { strict: true, target: 'ES2023' } },
};
const common = { ...language, absWorkingDir: project, outbase: project, write: false };
/** Source by source: as a file of this package, a module that exports nothing would be taken for CommonJS. */
const pageOptions = { ...language, loader: 'ts', format: 'esm', target: 'es2022' };

/** Files below a folder of the project, as paths from there; none where the folder is missing (in an image). */
async function filesBelow(folder) {
  const entries = await readdir(join(project, folder), { recursive: true, withFileTypes: true }).catch(
    (error) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(project, join(parentPath, name)));
}

/** Compiles files one by one, for Node.js. @returns what becomes of each, by its path in dist/ */
async function compile(entryPoints) {
  const { outputFiles } = await build({
    ...common,
    entryPoints,
    outdir: outputFolder,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    sourcesContent: false,
  });
  return outputFiles.map(({ path, contents }) => [path, contents]);
}

/** @returns what is read as it is, by its path in dist/ */
async function copies(paths, folder, base) {
  return Promise.all(
    paths.map(async (path) => [join(folder, relative(base, path)), await readFile(join(project, path))]),
  );
}

/** @returns the modules that browsers load, by their paths in `folder` */
async function pageModules(folder) {
  const { metafile } = await build({
    ...common,
    bundle: true,
    metafile: true,
    entryPoints: pageScripts,
    outdir: outputFolder,
  });
  return Promise.all(
    Object.keys(metafile.inputs).map(async (path) => {
      const source = await readFile(join(project, path), 'utf8');
      const { code } = await transform(source, { ...pageOptions, sourcefile: path });
      return [join(folder, path.replace(/ts$/, 'js')), Buffer.from(code)];
    }),
  );
}

/** @returns everything that belongs into dist/, by absolute path */
async function outputs() {
  const sources = (await Promise.all(sourceFolders.map(filesBelow)))
    .flat()
    .filter((path) => !path.startsWith(`${pageFolder}/`));
  const endingWith = (ending) => sources.filter((path) => path.endsWith(ending));
  const page = join(outputFolder, 'page');
  const parts = await Promise.all([
    compile(endingWith('.ts')),
    copies(['package.json', ...endingWith('.json')], outputFolder, '.'),
    pageModules(page),
    copies(await filesBelow(join(pageFolder, 'static')), page, pageFolder),
    copies(await filesBelow('samples'), page, '.'),
  ]);
  return new Map(parts.flat());
}

/** Makes a file what it shall be, at once for whoever reads it meanwhile, unless it is so already. */
async function update(path, contents) {
  const found = await readFile(path).catch(() => undefined);
  if (found?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}.tmp`;
  await writeFile(unfinished, contents);
  await rename(unfinished, path);
}

/** Removes what no source gives any more: a test that was deleted would be run for ever. */
async function sweep(wanted) {
  const found = (
    await Promise.all([...sourceFolders, 'page'].map((folder) => filesBelow(join('dist', folder))))
  ).flat();
  const stale = found.map((path) => join(project, path)).filter((path) => !wanted.has(path));
  await Promise.all(stale.map((path) => rm(path, { force: true })));
}

async function main() {
  const wanted = await outputs();
  try {
    await sweep(wanted);
    await Promise.all([...wanted].map(([path, contents]) => update(path, contents)));
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
    throw new Error(
      `${outputFolder} was made from other sources, and cannot be written: ${error.message}. ` +
        'Run `node build.mjs` as a user who may write there.',
    );
  }
}

main().catch((error) => {
  // What esbuild refuses it has printed itself.
  if (error.errors === undefined) process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
