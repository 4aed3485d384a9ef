import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const mainFile = join(__dirname, '../../services/cli/main.js');

export interface CliResult {
  readonly code: number;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** The command line as people run it: a process of its own. */
export class CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  output = '';
  errors = '';
  #changed: (() => void)[] = [];
  #code: number | undefined;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, cwd = process.cwd()) {
    const ownEnv = { PATH: process.env['PATH'], ...env };
    this.child = spawn(process.execPath, [mainFile, ...args], { env: ownEnv, cwd });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.#notify();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
      this.#notify();
    });
    // A process that does not want its input closes it.
    this.child.stdin.on('error', () => undefined);
    this.child.on('close', (code) => {
      this.#code = code ?? -1;
      this.#notify();
    });
  }

  /** Waits until something is printed; fails when the process ends without. */
  async printed(text: string): Promise<void> {
    await this.#until(() => this.output.includes(text), text);
  }

  /** The same on standard error. */
  async printedError(text: string): Promise<void> {
    await this.#until(() => this.errors.includes(text), text);
  }

  /** Waits for its end. */
  async result(): Promise<CliResult> {
    if (this.#code === undefined) await once(this.child, 'close');
    const lines = this.output.split('\n').filter((line) => line !== '');
    return { code: this.#code!, lines, errors: this.errors };
  }

  async #until(condition: () => boolean, text: string): Promise<void> {
    while (!condition()) {
      if (this.#code !== undefined) throw new Error(`Ended without "${text}": ${this.errors}`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  #notify(): void {
    for (const heard of this.#changed.splice(0)) heard();
  }
}

/** Runs a command to its end, on what `input` holds. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input: Uint8Array = new Uint8Array(),
  cwd = process.cwd(),
): Promise<CliResult> {
  const running = new CliProcess(args, env, cwd);
  running.child.stdin.end(input);
  return running.result();
}
