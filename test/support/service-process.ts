import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readAdminKeys } from '../../shared/access/admin-key-file';

const mainFile = join(__dirname, '../../services/classifier/main.js');

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly url?: string;
}

/**
 * The service as users run it: a process of its own, seen only through its log, its sockets and its exit
 * code.
 */
export class ServiceProcess {
  readonly child: ChildProcess;
  readonly lines: LogLine[] = [];
  stderr = '';
  /** Where it leaves its admin key: `npx earshot` with this environment finds it. */
  readonly adminKeyFolder = mkdtempSync(join(tmpdir(), 'earshot-admin-key-'));
  #changed: (() => void)[] = [];
  #exitCode: number | undefined;

  /**
   * @param cwd where it is started
   * @param under a command that starts it as its last arguments say: `unshare --user`
   */
  constructor(
    env: Readonly<Record<string, string | undefined>>,
    { cwd, under = [] }: { readonly cwd?: string; readonly under?: readonly string[] } = {},
  ) {
    const { PATH, HOME, XDG_CACHE_HOME } = process.env;
    // Nothing is fetched from the network unless a test says from where.
    const own = { PORT: '0', ENGINE: 'wasm', ENCODER: 'off', ADMIN_KEY_DIR: this.adminKeyFolder };
    const [program, ...args] = [...under, process.execPath, mainFile];
    this.child = spawn(program, args, {
      cwd,
      env: { PATH, HOME, XDG_CACHE_HOME, ...own, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (this.stderr += chunk));
    createInterface(this.child.stdout!).on('line', (line) => {
      this.lines.push(JSON.parse(line) as LogLine);
      this.#notify();
    });
    this.child.on('close', (code) => {
      this.#exitCode = code ?? -1;
      rmSync(this.adminKeyFolder, { recursive: true, force: true });
      this.#notify();
    });
  }

  /** The first log line whose message contains `text`; fails when the process ends without. */
  async line(text: string): Promise<LogLine> {
    return this.#find(text, ({ msg }) => msg.includes(text));
  }

  /** The first log line that has these fields; fails when the process ends without. */
  async lineWith(fields: Readonly<Record<string, unknown>>): Promise<LogLine> {
    return this.#find(JSON.stringify(fields), (line) =>
      Object.entries(fields).every(
        ([name, value]) => (line as unknown as Record<string, unknown>)[name] === value,
      ),
    );
  }

  /** Where it listens. */
  async url(): Promise<string> {
    return (await this.line('listening on')).url!;
  }

  /** What an admin sends; the service listens by then. */
  async adminHeaders(): Promise<{ readonly authorization: string }> {
    await this.url();
    const [record] = await readAdminKeys([this.adminKeyFolder]);
    return { authorization: `Bearer ${record!.key}` };
  }

  async exitCode(): Promise<number> {
    if (this.#exitCode === undefined) await once(this.child, 'close');
    return this.#exitCode!;
  }

  /** For tests' end: nothing stays behind, whatever happened. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exitCode();
  }

  async #find(wanted: string, isIt: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.lines.find(isIt);
      if (found !== undefined) return found;
      if (this.#exitCode !== undefined) throw new Error(`Ended without "${wanted}": ${this.stderr}`);
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  #notify(): void {
    for (const heard of this.#changed.splice(0)) heard();
  }
}
