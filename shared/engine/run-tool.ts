import { execFile } from 'node:child_process';
import { AppError } from '../errors/app-error';

export interface ToolOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What the tool is run for: `fetch tensorflow-cpu==2.21.0`. */
  readonly purpose: string;
  /** What to install when the tool is missing. */
  readonly install: string;
}

/**
 * Runs a command to its end and returns what it printed.
 * @throws AppError engine-unavailable, with the tool's last words and what to install when it is missing
 */
export function runTool(command: string, args: readonly string[], options: ToolOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    execFile(command, args, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const missing =
        (error as NodeJS.ErrnoException).code === 'ENOENT' || stderr.includes('No module named pip');
      const reason = missing
        ? `${options.install} is needed: install it`
        : lastLines(stderr || error.message);
      const message = `Cannot ${options.purpose}: ${reason}`;
      reject(new AppError('engine-unavailable', message, { cause: error }));
    });
  });
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ').slice(0, 600);
}
