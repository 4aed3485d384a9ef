import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, resolve } from 'node:path';
import { runInside, runProgram } from './chroot';
import { ancestry, imageConfig, parseDockerfile, type Instruction, type Stage } from './dockerfile';

export interface BuildOptions {
  /** The project: what `docker build` is given. */
  readonly context: string;
  /** Where the root folders of the stages come to lie. */
  readonly scratch: string;
  /** As `docker build --build-arg` and `--build-context` say. */
  readonly args: Readonly<Record<string, string>>;
  readonly contexts: Readonly<Record<string, string>>;
  readonly onStep: (line: string) => void;
}

/** Debian's package sources as its images have them. */
const debianSources = `Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
`;

/**
 * Runs a Dockerfile's steps in root folders instead of containers, each stage once; returns the root
 * folders of the targets. Base images are made of Debian's bootstrap and the Node.js of the image's tag
 * from the npm registry.
 */
export async function buildImages(
  targets: readonly string[],
  options: BuildOptions,
): Promise<ReadonlyMap<string, string>> {
  const { context, args, contexts } = options;
  const stages = parseDockerfile(await readFile(join(context, 'Dockerfile'), 'utf8'), args);
  const wanted = new Set(targets.flatMap((target) => [...needed(stages, target)]));
  const roots = new Map<string, string>();
  for (const stage of stages.filter(({ name }) => wanted.has(name))) {
    const given = contexts[stage.name];
    if (given !== undefined) {
      roots.set(stage.name, resolve(given));
      continue;
    }
    const root = join(options.scratch, stage.name);
    await copyTree(roots.get(stage.from) ?? (await baseImage(stage.from, options)), root);
    roots.set(stage.name, root);
    for (const [index, instruction] of stage.instructions.entries()) {
      await execute(stages, stage, index, { instruction, root, roots, options });
    }
  }
  return roots;
}

/** The stages that the target is made of: below it, and those it copies from. */
function needed(stages: readonly Stage[], target: string): Set<string> {
  const names = new Set<string>();
  const visit = (name: string): void => {
    for (const stage of ancestry(stages, name)) {
      if (names.has(stage.name)) continue;
      names.add(stage.name);
      for (const { text } of stage.instructions) {
        const source = /(?:--|,)from=([^\s,]+)/.exec(text)?.[1];
        if (source !== undefined) visit(source);
      }
    }
  };
  visit(target);
  return names;
}

interface Step {
  readonly instruction: Instruction;
  readonly root: string;
  readonly roots: ReadonlyMap<string, string>;
  readonly options: BuildOptions;
}

async function execute(stages: readonly Stage[], stage: Stage, index: number, step: Step): Promise<void> {
  const { instruction, root, options } = step;
  const soFar = stages.map((other) =>
    other === stage ? { ...stage, instructions: stage.instructions.slice(0, index) } : other,
  );
  const { env, args, workdir } = imageConfig(soFar, stage.name);
  const startMs = Date.now();
  if (instruction.name === 'RUN') await run(step, { env: { ...args, ...env }, workdir });
  else if (instruction.name === 'COPY') await copy(step, workdir);
  else if (instruction.name === 'WORKDIR') await mkdir(join(root, instruction.text), { recursive: true });
  else return; // ENV, USER, CMD and the like make no files: imageConfig reads them
  const seconds = ((Date.now() - startMs) / 1000).toFixed(1).padStart(6);
  options.onStep(`${seconds} s  [${stage.name}] ${instruction.name} ${instruction.text.slice(0, 90)}`);
}

/** `RUN [--mount=type=bind,from=STAGE,target=FOLDER] SCRIPT`. */
async function run(
  { instruction, root, roots }: Step,
  options: { readonly env: Readonly<Record<string, string>>; readonly workdir: string },
): Promise<void> {
  const [, from, target, script] =
    /^--mount=type=bind,from=([^,]+),target=(\S+) (.*)$/.exec(instruction.text) ?? [];
  const mounts = from === undefined ? {} : { [target!]: roots.get(from)! };
  await runInside(root, script ?? instruction.text, { ...options, mounts });
}

/**
 * `COPY [--from=STAGE] [--chown=USER:GROUP] SOURCE... TARGET`: of a folder its content is copied, of a
 * file the file.
 */
async function copy({ instruction, root, roots, options }: Step, workdir: string): Promise<void> {
  const words = instruction.text.split(/\s+/);
  const flag = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
  const paths = words.filter((word) => !word.startsWith('--'));
  const [sources, target] = [paths.slice(0, -1), paths.at(-1)!];
  const inside = join(root, posix.resolve(workdir, target));
  const from = flag('from');
  const origin = from === undefined ? options.context : roots.get(from)!;
  const intoFolder = sources.length > 1 || /(^|\/)\.?$/.test(target);
  await mkdir(intoFolder ? inside : dirname(inside), { recursive: true });
  for (const source of sources) {
    const path = join(origin, source);
    const whole = from === undefined && source === '.' ? await contextEntries(origin) : [path];
    for (const entry of whole) {
      const contentOnly = entry === path && (await lstat(entry)).isDirectory();
      if (contentOnly) await mkdir(inside, { recursive: true });
      await runProgram('cp', ['-a', '--no-preserve=ownership', contentOnly ? `${entry}/.` : entry, inside]);
    }
  }
  const owner = flag('chown');
  if (owner !== undefined) await runProgram('chown', ['-R', '--no-dereference', owner, inside]);
}

/** What .dockerignore lets through: its lines are `*`, then `!NAME` for what is wanted. */
async function contextEntries(context: string): Promise<string[]> {
  const lines = (await readFile(join(context, '.dockerignore'), 'utf8')).split('\n');
  const wanted = lines.filter((line) => line.startsWith('!')).map((line) => join(context, line.slice(1)));
  return wanted.filter((path) => existsSync(path));
}

async function copyTree(from: string, to: string): Promise<void> {
  await runProgram('cp', ['-a', '--reflink=auto', from, to]);
}

/** A root folder that stands in for a base image. */
async function baseImage(image: string, options: BuildOptions): Promise<string> {
  if (image === 'scratch') {
    const empty = join(options.scratch, 'base-scratch');
    await mkdir(empty, { recursive: true });
    return empty;
  }
  const debian = join(options.scratch, 'base-debian');
  if (!existsSync(debian)) {
    const startMs = Date.now();
    await runProgram('debootstrap', [
      '--variant=minbase',
      'bookworm',
      debian,
      'http://deb.debian.org/debian',
    ]);
    await rm(join(debian, 'etc/apt/sources.list'), { force: true });
    await writeFile(join(debian, 'etc/apt/sources.list.d/debian.sources'), debianSources);
    await runProgram('sh', [
      '-c',
      `rm -rf "$0"/var/cache/apt/archives/*.deb "$0"/var/lib/apt/lists/*`,
      debian,
    ]);
    options.onStep(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  debootstrap bookworm`);
  }
  const nodeVersion = /^node:([\d.]+)-/.exec(image)?.[1];
  if (nodeVersion === undefined) return debian;
  const node = join(options.scratch, 'base-node');
  if (existsSync(node)) return node;
  await copyTree(debian, node);
  const local = join(node, 'usr/local');
  await unpackFromNpm(`node-linux-${process.arch}@${nodeVersion}`, join(options.scratch, 'npm-node'));
  await cp(join(options.scratch, 'npm-node/package/bin/node'), join(local, 'bin/node'));
  await mkdir(join(local, 'lib/node_modules'), { recursive: true });
  await unpackFromNpm('npm@11', join(options.scratch, 'npm-npm'));
  await copyTree(join(options.scratch, 'npm-npm/package'), join(local, 'lib/node_modules/npm'));
  for (const name of ['npm', 'npx']) {
    await runProgram('ln', ['-s', `../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name)]);
  }
  return node;
}

async function unpackFromNpm(name: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await runProgram('npm', ['pack', '--silent', '--pack-destination', folder, name], { cwd: folder });
  await runProgram('sh', ['-c', `tar -xzf ./*.tgz --no-same-owner && rm ./*.tgz`], { cwd: folder });
}
