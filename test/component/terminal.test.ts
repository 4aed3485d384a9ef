import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pcmWav } from '../support/pcm-clips';
import { describeWith, program } from '../support/needs';
import { publishRandomModel } from '../support/random-model';
import { RawConnection, uploadHead } from '../support/raw-connection';

const mainFile = join(__dirname, '../../services/classifier/main.js');
const wav = pcmWav(
  Array.from({ length: 32_000 }, (_, index) => 0.5 * Math.sin(index / 7)),
  16_000,
);
const ctrlC = '\u0003';
const ctrlS = '\u0013';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-terminal-'));
  await publishRandomModel(folder, 'cnn-test-1');
  // As the project's own, but for the build, which would change what other tests run.
  const scripts = { start: `true && exec ${process.execPath} ${mainFile}` };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts }));
});
afterAll(() => rm(folder, { recursive: true }));

/**
 * A command that starts the service in a terminal of its own. It begins with `exec`: a shell that waited
 * for the command could end of the Ctrl-C itself, as dash does.
 */
class Terminal {
  readonly #child;
  #output = '';
  readonly #ended: Promise<unknown[]>;

  constructor(command: string, env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: folder,
      env: {
        ...process.env,
        ...env,
        SHELL: '/bin/sh',
        MODELS_DIR: folder,
        PORT: '0',
        ENGINE: 'wasm',
        JOBS_DIR: join(folder, 'jobs'),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#ended = once(this.#child, 'close');
  }

  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found[1] ?? found[0];
      await Promise.race([once(this.#child.stdout, 'data'), this.#ended]);
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`Ended without ${String(pattern)}: ${this.#output}`);
    }
  }

  press(key: string): void {
    this.#child.stdin.write(key);
  }

  /** Signals what runs in the terminal, as npm passes a signal on. */
  async passOn(signal: NodeJS.Signals): Promise<void> {
    const children = await readFile(`/proc/${this.#child.pid}/task/${this.#child.pid}/children`, 'utf8');
    process.kill(Number(children.trim()), signal);
  }

  async exitCode(): Promise<number> {
    const [code] = (await this.#ended) as [number];
    if (code !== 0) process.stderr.write(`ended with ${code}:\n${this.#output}\n`);
    return code;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Accepts a recording whose bytes are still to come. */
async function acceptUpload(terminal: Terminal): Promise<RawConnection> {
  const port = Number(await terminal.until(/listening on http:\/\/127\.0\.0\.1:(\d+)/));
  await terminal.until(/loaded and warmed up/);
  const accepted = new RawConnection(port);
  await accepted.send(uploadHead(wav.length, 'Expect: 100-continue'));
  await accepted.until('100 Continue');
  return accepted;
}

describeWith(program('script'))('npm start in a terminal', () => {
  let terminal: Terminal;
  let accepted: RawConnection;

  beforeEach(async () => {
    terminal = new Terminal('exec npm start');
    accepted = await acceptUpload(terminal);
  });
  afterEach(() => {
    terminal.kill();
  });

  it('finishes on one Ctrl-C what it accepted, and ends with 0', async () => {
    terminal.press(ctrlC);
    await terminal.until(/finishing what was accepted/);
    await accepted.send(wav);
    expect(await accepted.untilClosed()).toContain('HTTP/1.1 200 OK');
    expect(await terminal.exitCode()).toBe(0);
  });

  it('goes on, and ends, where its terminal is stopped (Ctrl-S)', async () => {
    const port = accepted.socket.remotePort!;
    terminal.press(ctrlS);
    // More than a terminal takes before it holds a writer up.
    for (let asked = 0; asked < 200; asked++) await (await fetch(`http://127.0.0.1:${port}/nothing`)).text();
    terminal.press(ctrlC);
    await accepted.send(wav);
    expect(await accepted.untilClosed()).toContain('HTTP/1.1 200 OK');
    expect(await terminal.exitCode()).toBe(0);
  });
});

describeWith(program('script'))('a script of npm in a terminal', () => {
  it('takes a signal that npm passes on late for the same Ctrl-C, and ends at a second one', async () => {
    const terminal = new Terminal(`exec ${process.execPath} ${mainFile}`, { npm_lifecycle_event: 'start' });
    const accepted = await acceptUpload(terminal);
    terminal.press(ctrlC);
    await terminal.until(/finishing what was accepted/);
    await delay(600);
    await terminal.passOn('SIGINT');
    await delay(200);
    expect(accepted.socket.readyState).toBe('open');
    terminal.press(ctrlC);
    expect(await terminal.exitCode()).toBe(130);
    accepted.hangUp();
  });
});
