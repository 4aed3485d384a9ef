import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { childEnvironment } from '../../environment';
import { AppError } from '../../errors/app-error';

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What the tool is run for: `fetch tensorflow-cpu==2.21.0`. */
  readonly purpose: string;
  /** What to install when the tool is missing. */
  readonly install: string;
  /** Ends the tool, and all that it started. Without one, a terminal's Ctrl-C reaches them by itself. */
  readonly signal?: AbortSignal | undefined;
  /** Whether it, and all that it starts, computes only when nobody else would. */
  readonly inBackground?: boolean | undefined;
  /**
   * Where it, and all that it starts, is what the system shall end first when memory runs short: what to
   * do then.
   */
  readonly ifKilled?: string | undefined;
}

/** Who starts something may make it likelier to be ended, and what that starts is so too. */
const expendableScript = '{ echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null; exec "$0" "$@"';

/**
 * `nice` of coreutils or busybox lowers the tool's priority from its start. Node could lower it only
 * afterwards, and would miss the processes that the tool has started by then.
 */
const niceFile = ['/usr/bin/nice', '/bin/nice'].find((file) => existsSync(file));
/** The exit code of `nice`, and of a shell, where the command that it is to run is missing. */
const missingCode = 127;

/** The tool's output is kept up to this length, in characters. */
const keptOutput = 64 * 1024;

/**
 * Runs a command to its end and returns what it printed.
 * @throws AppError engine-unavailable, with the tool's last words and what to install when it is
 *   missing; cancelled
 */
export function runTool(command: string, args: readonly string[], options: ToolOptions): Promise<string> {
  const { purpose, install, signal } = options;
  const fail = (reason: string, cause?: unknown): AppError =>
    new AppError('engine-unavailable', `Cannot ${purpose}: ${reason}`, { cause });
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new AppError('cancelled', `Called off: to ${purpose}.`));
      return;
    }
    const wrapper = wrapperOf(options);
    const [program, ...words] = [...wrapper, command, ...args] as [string, ...string[]];
    const tool = spawn(program, words, {
      env: childEnvironment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      // A compiler is several processes: in a group of their own they end together.
      detached: signal !== undefined,
    });
    const said = { stdout: '', stderr: '' };
    // Without descriptors for its pipes there is no process, and no stream of it.
    for (const name of tool.pid === undefined ? [] : (['stdout', 'stderr'] as const)) {
      tool[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] = (said[name] + text).slice(-keptOutput);
      });
    }
    const stop = (): void => {
      if (tool.pid !== undefined) endGroup(tool.pid);
    };
    signal?.addEventListener('abort', stop, { once: true });
    tool.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      reject(fail(missing ? `${install} is needed: install it` : error.message, error));
    });
    tool.once('close', (code, killedBy) => {
      signal?.removeEventListener('abort', stop);
      if (code === 0) resolve(said.stdout);
      else if (signal?.aborted === true) reject(new AppError('cancelled', `Called off: to ${purpose}.`));
      else if ((wrapper.length > 0 && code === missingCode) || said.stderr.includes('No module named pip'))
        reject(fail(`${install} is needed: install it`));
      else reject(fail(reasonOf(said.stderr, { command, code, killedBy, ...options })));
    });
  });
}

interface Ending {
  readonly command: string;
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly ifKilled?: string | undefined;
}

function reasonOf(stderr: string, { command, code, killedBy, ifKilled }: Ending): string {
  const words = lastLines(stderr) || `${command} ended with ${killedBy ?? code ?? 'nothing'}`;
  const isKilled = killedBy === 'SIGKILL' || /\bKilled\b/.test(stderr);
  return isKilled && ifKilled !== undefined ? `${words} ${ifKilled}` : words;
}

/** What a command is started by, to be less important than other processes. */
function wrapperOf({ inBackground, ifKilled }: ToolOptions): string[] {
  const nice = inBackground === true && niceFile !== undefined ? [niceFile, '-n', '15'] : [];
  return [...(ifKilled === undefined ? [] : ['/bin/sh', '-c', expendableScript]), ...nice];
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ').slice(0, 600);
}
