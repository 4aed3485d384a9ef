import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestBody } from './connection';
import { closedLoop } from './http-load';
import { median, quantile } from './median';
import { call, projectFolder, residentMegabytes, slope, startService, type BenchService } from './service';

const secondsPerRound = 8;
const memoryRequests = 10_000;
const warmUpRequests = 2000;

/** Closed-loop load on `POST /classify` of the real service with the committed model, on one machine. */
export async function benchService(): Promise<void> {
  const bytes = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const clip = { contentType: 'audio/ogg', bytes };
  const startedAt = performance.now();
  const service = await startService();
  try {
    console.log(
      `\nService ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s. POST /classify, 5 s Ogg Vorbis:\n`,
    );
    console.log('| connections | requests/s | p50 ms | p99 ms | /healthz p50 ms |\n|---|---|---|---|---|');
    const load = { port: service.port, body: clip, varied: false };
    await closedLoop({ ...load, connections: 4, seconds: 3 });
    for (const connections of [1, 8, 32]) {
      const until = Date.now() + secondsPerRound * 1000;
      const [times, health] = await Promise.all([
        closedLoop({ ...load, connections, seconds: secondsPerRound }),
        probe(service.port, until),
      ]);
      const figures = [times.length / secondsPerRound, median(times), quantile(times, 0.99), median(health)];
      console.log(`| ${connections} | ${figures.map((value) => value.toFixed(1)).join(' | ')} |`);
    }
    if (process.argv.includes('--memory')) await benchMemory(service, clip);
  } finally {
    await service.stop();
  }
}

async function probe(port: number, until: number): Promise<number[]> {
  const times: number[] = [];
  while (Date.now() < until) {
    times.push((await call(port, 'GET', '/healthz')).ms);
    await new Promise((r) => setTimeout(r, 100));
  }
  return times;
}

/** Measures the slope of resident memory over 10,000 requests, after the first 2,000. */
async function benchMemory({ child, port }: BenchService, clip: RequestBody): Promise<void> {
  const samples: [thousands: number, megabytes: number][] = [];
  let done = 0;
  const client = async (): Promise<void> => {
    while (done < memoryRequests) {
      done += 1;
      const request = done;
      await call(port, 'POST', '/classify', clip.bytes);
      if (request > warmUpRequests && request % 250 === 0) {
        samples.push([request / 1000, await residentMegabytes(child.pid!)]);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  const megabytes = samples.map(([, value]) => value);
  console.log(
    `\nResident memory over ${memoryRequests} requests, after the first ${warmUpRequests}: ` +
      `${slope(samples).toFixed(2)} MB per 1,000 (median of all pairwise slopes), from ` +
      `${Math.min(...megabytes).toFixed(0)} to ${Math.max(...megabytes).toFixed(0)} MB.`,
  );
}
