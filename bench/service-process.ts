import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { call } from './http-load';

export const projectFolder = resolve(__dirname, '..', '..');

export interface RunningServer {
  readonly child: ChildProcess;
  readonly port: number;
  stop(): Promise<void>;
}

/** The real classification service on a port of its own, ready. */
export async function startService(
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const child = spawn(process.execPath, [join(projectFolder, 'dist', 'services', 'classifier', 'main.js')], {
    cwd: projectFolder,
    env: { ...process.env, PORT: '0', LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const port = await new Promise<number>((found, fail) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (match !== null) found(Number(match[1]));
    });
    child.once('exit', (code) => {
      fail(new Error(`the service ended with code ${code} before it listened`));
    });
  });
  await ready(port);
  return { child, port, stop: () => stop(child) };
}

/** Resolves when `/readyz` answers 200. @throws Error when it does not within two minutes */
export async function ready(port: number): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until) {
    const answer = await call(port, 'GET', '/readyz').catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((r) => setTimeout(r, 50));
  }
  throw new Error(`nothing became ready on port ${port}`);
}

/** A process that leads a group of its own ends with the group. */
export async function stop(child: ChildProcess, group = false): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  if (group) process.kill(-child.pid!, 'SIGTERM');
  else child.kill('SIGTERM');
  await exited;
}
