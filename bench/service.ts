import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { readAdminKeys } from '../shared/access/admin-key-file';
import { median } from './median';

export const projectFolder = resolve(__dirname, '..', '..');

/** The real service with the committed model, in a process of its own. */
export interface BenchService {
  readonly child: ChildProcess;
  readonly port: number;
  /** Headers with the admin key. */
  readonly adminHeaders: Readonly<Record<string, string>>;
  /** Resolves at the next line of its log with this message. */
  readonly logged: (message: string) => Promise<void>;
  stop(): Promise<number>;
}

export async function startService(env: Readonly<Record<string, string>> = {}): Promise<BenchService> {
  const main = join(projectFolder, 'dist', 'services', 'classifier', 'main.js');
  const keyFolder = await mkdtemp(join(tmpdir(), 'earshot-bench-key-'));
  const child = spawn(process.execPath, [main], {
    cwd: projectFolder,
    env: { ...process.env, PORT: '0', LOG_LEVEL: 'info', ADMIN_KEY_DIR: keyFolder, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const log = createInterface({ input: child.stdout });
  const port = await new Promise<number>((found, fail) => {
    child.once('exit', (code, signal) => {
      fail(new Error(`The service ended with ${signal ?? String(code)} before it listened.`));
    });
    log.on('line', (line) => {
      const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (match !== null) found(Number(match[1]));
    });
  });
  const [record] = await readAdminKeys([keyFolder]);
  await rm(keyFolder, { recursive: true });
  while ((await call(port, 'GET', '/readyz')).status !== 200) {
    if (child.exitCode !== null) throw new Error('The service ended before it was ready: see its log.');
    await sleep(50);
  }
  return {
    child,
    port,
    adminHeaders: record === undefined ? {} : { authorization: `Bearer ${record.key}` },
    logged: (message) =>
      new Promise((heard) => {
        const listen = (line: string): void => {
          if (!line.includes(JSON.stringify(message))) return;
          log.off('line', listen);
          heard();
        };
        log.on('line', listen);
      }),
    async stop() {
      if (child.exitCode !== null) return child.exitCode;
      child.kill('SIGTERM');
      const [code] = (await once(child, 'exit')) as [number | null];
      return code ?? -1;
    },
  };
}

export interface Answer {
  /** 0 for a connection that broke; the body is then the error code. */
  readonly status: number;
  readonly ms: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export function call(
  port: number,
  method: string,
  path: string,
  body?: Buffer,
  agent?: Agent,
  extra: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const startedAt = performance.now();
  return new Promise((done) => {
    const length = body === undefined ? {} : { 'content-type': 'audio/ogg', 'content-length': body.length };
    const headers = { ...length, ...extra };
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, ...(agent && { agent }) },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          const ms = performance.now() - startedAt;
          done({ status: answer.statusCode ?? 0, ms, headers: answer.headers, body: text });
        });
      },
    );
    outgoing.on('error', ({ code = '' }: NodeJS.ErrnoException) => {
      done({ status: 0, ms: performance.now() - startedAt, headers: {}, body: code });
    });
    outgoing.end(body);
  });
}

/** CPU seconds that the service has used. */
export async function cpuSeconds(port: number): Promise<number> {
  const { body } = await call(port, 'GET', '/metrics');
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(body)?.[1]);
}

export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000;
}

/**
 * Slope of y over x: the median of all pairwise slopes (Theil and Sen). Least squares would mistake a
 * single step, such as the first batch of a new size, for a steady increase.
 */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x1, y1], index) =>
    points
      .slice(index + 1)
      .filter(([x2]) => x2 !== x1)
      .map(([x2, y2]) => (y2 - y1) / (x2 - x1)),
  );
  return median(slopes);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Reads the number after an option of the command line, as in `--seconds 30`. */
export function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  return Number.isFinite(value) ? value : otherwise;
}
