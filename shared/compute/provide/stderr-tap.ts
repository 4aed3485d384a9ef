import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { compilerCommand, tensorflowLogLevel } from '../../environment';
import { compilerToInstall, nodeApiHeaders } from './compiler';
import { runTool } from './run-tool';

/** native/stderr/stderr_tap.cc */
interface StderrTap {
  start(): void;
  stop(): string;
  limitLog(library: string, level: number): boolean;
}

const tapName = 'stderr_tap.node';
/** This file is compiled to dist/shared/compute/provide. */
const source = resolve(__dirname, '../../../../native', 'stderr', 'stderr_tap.cc');

/**
 * Builds the tap beside a libtensorflow, unless it is there. It is no part of the engine: without it (no
 * compiler any more, a folder that cannot be written) two lines of libtensorflow's stand between those
 * of the log.
 */
export async function buildStderrTap(engineFolder: string, signal: AbortSignal | undefined): Promise<void> {
  const file = join(engineFolder, tapName);
  if (existsSync(file)) return;
  const unfinished = `${file}.${process.pid}.tmp`;
  const [compiler, ...compilerArgs] = compilerCommand();
  try {
    await runTool(
      compiler,
      [
        ...[...compilerArgs, '-std=c++17', '-O1', '-fPIC', '-shared', '-fvisibility=hidden'],
        ...[`-isystem${nodeApiHeaders()}`, source, '-ldl', '-o', unfinished],
      ],
      { purpose: 'build the tap', install: compilerToInstall(compiler), signal },
    );
    await rename(unfinished, file);
  } catch {
    await rm(unfinished, { force: true }).catch(() => undefined);
  }
}

/**
 * Does work that loads a libtensorflow. What that prints on the process's standard error goes to
 * `process.stderr`, which makes lines of the log of it where there is one (capture-output.ts); after it
 * only what ends the process is printed, for all else is an exception.
 * @param engineFolder where it lies
 */
export function loadTapped<T>(engineFolder: string, load: () => T): T {
  const tap = openTap(engineFolder);
  if (tap === undefined) return load();
  tap.start();
  try {
    return load();
  } finally {
    const printed = tap.stop();
    if (printed !== '') process.stderr.write(printed);
    tap.limitLog(join(engineFolder, 'tensorflow', 'libtensorflow_framework.so.2'), tensorflowLogLevel());
  }
}

function openTap(engineFolder: string): StderrTap | undefined {
  const module = { exports: {} };
  try {
    process.dlopen(module, join(engineFolder, tapName));
    return module.exports as StderrTap;
  } catch {
    return undefined;
  }
}
