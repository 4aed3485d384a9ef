import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { median, quantile } from './median';

const projectFolder = resolve(__dirname, '..', '..');
const secondsPerRound = 8;
const memoryRequests = 10_000;

/** `POST /classify` against the real service with the committed model: closed loop, real sockets, one machine. */
export async function benchService(): Promise<void> {
  const clip = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const startedAt = performance.now();
  const { child, port } = await startService();
  try {
    console.log(
      `\nService ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s. POST /classify, 5 s Ogg Vorbis:\n`,
    );
    console.log('| connections | requests/s | p50 ms | p99 ms | /healthz p50 ms |\n|---|---|---|---|---|');
    await load(port, clip, 4, Date.now() + 3000);
    for (const connections of [1, 8, 32]) {
      const until = Date.now() + secondsPerRound * 1000;
      const [times, health] = await Promise.all([load(port, clip, connections, until), probe(port, until)]);
      const figures = [times.length / secondsPerRound, median(times), quantile(times, 0.99), median(health)];
      console.log(`| ${connections} | ${figures.map((value) => value.toFixed(1)).join(' | ')} |`);
    }
    if (process.argv.includes('--memory')) await benchMemory(child, port, clip);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

async function startService(): Promise<{ child: ChildProcess; port: number }> {
  const env = { ...process.env, PORT: '0', LOG_LEVEL: 'info' };
  const child = spawn(process.execPath, [join(projectFolder, 'dist', 'services', 'classifier', 'main.js')], {
    cwd: projectFolder,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const port = await new Promise<number>((found) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
      if (match !== null) found(Number(match[1]));
    });
  });
  while ((await call(port, 'GET', '/readyz')).status !== 200) await new Promise((r) => setTimeout(r, 50));
  return { child, port };
}

async function load(port: number, clip: Buffer, connections: number, until: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const times: number[] = [];
  const client = async (): Promise<void> => {
    while (Date.now() < until) {
      const { status, ms } = await call(port, 'POST', '/classify', clip, agent);
      if (status !== 200) throw new Error(`POST /classify answered ${status}`);
      times.push(ms);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  agent.destroy();
  return times;
}

async function probe(port: number, until: number): Promise<number[]> {
  const times: number[] = [];
  while (Date.now() < until) {
    times.push((await call(port, 'GET', '/healthz')).ms);
    await new Promise((r) => setTimeout(r, 100));
  }
  return times;
}

/** Resident memory over 10,000 requests: the slope after the first 2,000. */
async function benchMemory(child: ChildProcess, port: number, clip: Buffer): Promise<void> {
  const samples: [thousands: number, megabytes: number][] = [];
  let done = 0;
  const client = async (): Promise<void> => {
    while (done < memoryRequests) {
      done += 1;
      if (done > 2000 && done % 250 === 0) samples.push([done / 1000, await residentMegabytes(child.pid!)]);
      await call(port, 'POST', '/classify', clip);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  const mean = (column: 0 | 1): number => samples.reduce((sum, row) => sum + row[column], 0) / samples.length;
  const [x, y] = [mean(0), mean(1)];
  const slope =
    samples.reduce((sum, row) => sum + (row[0] - x) * (row[1] - y), 0) /
    samples.reduce((sum, row) => sum + (row[0] - x) ** 2, 0);
  console.log(
    `\nResident memory over ${memoryRequests} requests: ${slope.toFixed(2)} MB per 1,000 after the first 2,000; ${y.toFixed(0)} MB on average.`,
  );
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000;
}

function call(
  port: number,
  method: string,
  path: string,
  body?: Buffer,
  agent?: Agent,
): Promise<{ status: number; ms: number }> {
  const startedAt = performance.now();
  return new Promise((done, fail) => {
    const headers = body === undefined ? {} : { 'content-type': 'audio/ogg', 'content-length': body.length };
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, ...(agent && { agent }) },
      (answer) => {
        answer.resume();
        answer.on('end', () => {
          done({ status: answer.statusCode ?? 0, ms: performance.now() - startedAt });
        });
      },
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}
