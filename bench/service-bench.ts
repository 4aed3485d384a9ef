import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { median, quantile } from './median';
import { call, projectFolder, residentMegabytes, slope, startService } from './service';

const secondsPerRound = 8;
const memoryRequests = 10_000;

/** `POST /classify` against the real service with the committed model: closed loop, real sockets, one machine. */
export async function benchService(): Promise<void> {
  const clip = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const startedAt = performance.now();
  const service = await startService();
  const { child, port } = service;
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
    await service.stop();
  }
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
  const megabytes = samples.reduce((sum, [, value]) => sum + value, 0) / samples.length;
  console.log(
    `\nResident memory over ${memoryRequests} requests: ${slope(samples).toFixed(2)} MB per 1,000 after the first 2,000; ${megabytes.toFixed(0)} MB on average.`,
  );
}
