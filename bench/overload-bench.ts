import { readFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { Connection, type RawAnswer, type RequestBody } from './connection';
import { closedLoop } from './http-load';
import { median, quantile } from './median';
import { call, option, projectFolder, sleep, startService } from './service';

const timeoutSeconds = 2;
const headers = [`X-Request-Timeout: ${timeoutSeconds}`];
/** The client opens another connection whenever all wait for an answer, up to this number. */
const maxConnections = 512;

/** Open-loop load: requests at 0.5, 2 and 10 times the rate that the service sustains. */
export async function benchOverload(): Promise<void> {
  const seconds = option('seconds', 10);
  const bytes = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const clip = { contentType: 'audio/ogg', bytes };
  const service = await startService();
  raisePriority();
  try {
    const load = { port: service.port, body: clip, varied: false, connections: 8 };
    await closedLoop({ ...load, seconds: 3 });
    const sustained = (await closedLoop({ ...load, seconds: 6 })).length / 6;
    console.log(
      `\nSustained with 8 connections: ${sustained.toFixed(1)} requests/s. Open loop, deadline ${timeoutSeconds} s:\n`,
    );
    console.log(
      '| load | sent | 200 | p50 ms | p99 ms | 429 | p99 ms | p99 in the service | without Retry-After | other | back to normal after s |\n|---|---|---|---|---|---|---|---|---|---|---|',
    );
    for (const factor of [0.5, 2, 10]) {
      const before = await refusals(service.port);
      const answers = await openLoop(service.port, clip, factor * sustained, seconds);
      const inside = refusalP99(before, await refusals(service.port));
      const back = await recovery(service.port, clip);
      console.log(`| ${factor} × | ${row(answers, inside).join(' | ')} | ${back.toFixed(1)} |`);
    }
  } finally {
    await service.stop();
  }
}

/** Raises this process's priority, so that the client behaves as if it had a machine of its own. */
function raisePriority(): void {
  try {
    setPriority(process.pid, constants.priority.PRIORITY_HIGH);
  } catch {
    console.log('\nNot root: the client waits for its turn on the cores, and that counts as the service.');
  }
}

function row(answers: readonly RawAnswer[], inside: string): (string | number)[] {
  const accepted = answers.filter(({ status }) => status === 200).map(({ ms }) => ms);
  const refused = answers.filter(({ status }) => status === 429);
  const refusedMs = refused.map(({ ms }) => ms);
  const bare = refused.filter(({ head }) => !/^retry-after: \d/im.test(head)).length;
  const other = answers.filter(({ status }) => status !== 200 && status !== 429);
  const statuses = [...new Set(other.map(({ status }) => status))].join(', ');
  return [
    answers.length,
    accepted.length,
    median(accepted).toFixed(0),
    quantile(accepted, 0.99).toFixed(0),
    refused.length,
    quantile(refusedMs, 0.99).toFixed(1),
    inside,
    bare,
    other.length === 0 ? 0 : `${other.length} (${statuses})`,
  ];
}

/**
 * Reads the service's histogram of the time from a request's head to its refusal: cumulative counts by
 * the buckets' upper bounds in seconds.
 */
async function refusals(port: number): Promise<ReadonlyMap<number, number>> {
  const { body } = await call(port, 'GET', '/metrics');
  const bucket =
    /^earshot_http_request_duration_seconds_bucket\{le="([\d.]+)",route="\/classify",code="429"\} (\d+)$/gm;
  return new Map([...body.matchAll(bucket)].map(([, le, count]) => [Number(le), Number(count)]));
}

/**
 * Upper bound, in ms, of the bucket that holds the 99th percentile of the refusals between two readings.
 */
function refusalP99(before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): string {
  const counts = [...after].map(([le, count]) => [le, count - (before.get(le) ?? 0)] as const);
  const all = counts.at(-1)?.[1] ?? 0;
  const bound = counts.find(([, count]) => count >= 0.99 * all);
  return all === 0 || bound === undefined ? '–' : `≤ ${bound[0] * 1000}`;
}

async function openLoop(
  port: number,
  clip: RequestBody,
  rate: number,
  seconds: number,
): Promise<RawAnswer[]> {
  const idle: Connection[] = [];
  let opened = 0;
  const send = async (): Promise<RawAnswer> => {
    if (idle.length === 0) opened += 1;
    if (opened > maxConnections)
      throw new Error(`More than ${maxConnections} requests wait for their answers.`);
    const connection = idle.pop() ?? new Connection(port);
    const answer = await connection.post(clip, headers);
    idle.push(connection);
    return answer;
  };
  const sent: Promise<RawAnswer>[] = [];
  const startedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000) {
    const due = ((performance.now() - startedMs) / 1000) * rate;
    while (sent.length < due) sent.push(send());
    await sleep(2);
  }
  const answers = await Promise.all(sent);
  for (const connection of idle) connection.close();
  return answers;
}

/** Seconds from the end of the load until three requests in a row, one every 100 ms, are answered. */
async function recovery(port: number, clip: RequestBody): Promise<number> {
  const connection = new Connection(port);
  const startedMs = performance.now();
  for (let inRow = 0; inRow < 3;) {
    const { status } = await connection.post(clip, headers);
    inRow = status === 200 ? inRow + 1 : 0;
    await sleep(100);
  }
  connection.close();
  return Math.max(0, (performance.now() - startedMs) / 1000 - 0.3);
}
