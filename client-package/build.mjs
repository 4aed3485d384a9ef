// `node client-package/build.mjs [FOLDER]`: the npm package `earshot-client` (in dist/client/ unless given) from shared/client/; `npm run
// client` packs it. Its package.json is written here and not kept beside the sources: the files that it names exist only when they are built,
// and one within shared/ would change how Node reads the modules there.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { printContract } from './types.mjs';

const project = dirname(import.meta.dirname);
const source = join(project, 'shared', 'client');
const entry = join(source, 'index.ts');
const contracts = join(project, 'shared', 'contracts');

/** One module, for browsers and Node: `neutral` refuses whatever only one of them has. */
async function compile() {
  const { outputFiles } = await build({
    absWorkingDir: project,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    charset: 'utf8',
    logLevel: 'error',
    tsconfigRaw: {},
  });
  return outputFiles[0].text;
}

/** @returns the compiler's view of the client, as browsers see it: nothing of Node is known */
function openProgram() {
  const { config } = ts.readConfigFile(
    join(project, 'services', 'classifier', 'page', 'tsconfig.json'),
    ts.sys.readFile,
  );
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, source);
  const own = { noEmit: false, incremental: false, declaration: true, emitDeclarationOnly: true };
  return ts.createProgram([entry], { ...options, ...own, tsBuildInfoFile: undefined, rootDir: undefined });
}

/** Which names a declaration file takes from which other file. */
function importsOf(path, text) {
  return ts
    .createSourceFile(path, text, ts.ScriptTarget.Latest)
    .statements.filter((node) => node.moduleSpecifier !== undefined)
    .map((node) => ({
      path: resolve(dirname(path), node.moduleSpecifier.text).replace(/\.js$/, '.ts'),
      names: (node.importClause?.namedBindings ?? node.exportClause).elements.map(
        ({ name, propertyName }) => (propertyName ?? name).text,
      ),
    }));
}

/**
 * The types of the package, by path in shared/. Those of the client and of errors are what the compiler says of them; those of
 * contracts are inferred from schemas of zod, and are written out, so that whoever uses them needs no zod.
 */
function declare() {
  const program = openProgram();
  const emitted = new Map();
  const { diagnostics } = program.emit(undefined, (path, text) =>
    emitted.set(path.replace(/\.d\.ts$/, '.ts'), text),
  );
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, ts.createCompilerHost({})));
  const declared = new Map();
  const wanted = new Map();
  const waiting = [entry];
  while (waiting.length > 0) {
    const path = waiting.pop();
    if (declared.has(path)) continue;
    declared.set(path, emitted.get(path));
    for (const { path: other, names } of importsOf(path, emitted.get(path))) {
      if (dirname(other) !== contracts) waiting.push(other);
      else wanted.set(other, new Set([...(wanted.get(other) ?? []), ...names]));
    }
  }
  for (const [path, names] of wanted) declared.set(path, printContract(program, path, [...names].sort()));
  return declared;
}

/** The version is that of the latest entry of the client's own changelog. */
function versionOf(changelog) {
  const [, version] = /^## (\d+\.\d+\.\d+)$/m.exec(changelog) ?? [];
  if (version === undefined)
    throw new Error('shared/client/CHANGELOG.md has no entry `## MAJOR.MINOR.PATCH`.');
  return version;
}

async function describe() {
  const { license, engines } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'));
  return {
    name: 'earshot-client',
    version: versionOf(await readFile(join(source, 'CHANGELOG.md'), 'utf8')),
    description: 'Typed client of Earshot, which names the sounds in a recording or at a live microphone',
    license,
    type: 'module',
    sideEffects: false,
    exports: {
      '.': { types: './types/client/index.d.ts', default: './index.js' },
      './package.json': './package.json',
    },
    types: './types/client/index.d.ts',
    engines,
  };
}

async function main(folder) {
  const [script, manifest] = await Promise.all([compile(), describe()]);
  const files = [...declare()].map(([path, text]) => [
    join('types', relative(join(project, 'shared'), path).replace(/\.ts$/, '.d.ts')),
    text,
  ]);
  files.push(['index.js', script], ['package.json', `${JSON.stringify(manifest, undefined, 2)}\n`]);
  await rm(folder, { recursive: true, force: true });
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  for (const name of ['README.md', 'CHANGELOG.md']) await cp(join(source, name), join(folder, name));
  await cp(join(project, 'LICENSE'), join(folder, 'LICENSE'));
}

await main(resolve(process.argv[2] ?? join(project, 'dist', 'client')));
