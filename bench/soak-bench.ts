import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Microphone, sampleSound } from './microphone';
import { call, option, projectFolder, residentMegabytes, slope, sleep, startService } from './service';

const sampleRate = 16_000;
const streams = 20;
const uploadsPerSecond = 1;
const sampleSeconds = 2;

/**
 * Runs 20 streams and uploads for ten minutes; resident memory and event-loop lag must stay constant.
 */
export async function benchSoak(): Promise<void> {
  const minutes = option('minutes', 10);
  const clip = await readFile(join(projectFolder, 'samples', 'dog.ogg'));
  const sound = await sampleSound(sampleRate);
  const service = await startService();
  const memory: [minutes: number, megabytes: number][] = [];
  const lag: [minutes: number, ms: number][] = [];
  const statuses = new Map<number, number>();
  const microphones = Array.from(
    { length: streams },
    () => new Microphone(service.port, sound, sampleRate, 1),
  );
  const startedMs = performance.now();
  const elapsed = (): number => (performance.now() - startedMs) / 60_000;
  const uploads = setInterval(() => {
    void call(service.port, 'POST', '/classify', clip).then(({ status }) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
  }, 1000 / uploadsPerSecond);
  while (elapsed() < minutes) {
    await sleep(sampleSeconds * 1000);
    const { body } = await call(service.port, 'GET', '/metrics');
    const p99 = Number(/^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(body)?.[1]) * 1000;
    // The first fifth is not measured: caches fill.
    if (elapsed() < minutes / 5) continue;
    memory.push([elapsed(), await residentMegabytes(service.child.pid!)]);
    lag.push([elapsed(), p99]);
  }
  clearInterval(uploads);
  for (const microphone of microphones) microphone.stop();
  await Promise.all(microphones.map(({ closed }) => closed));
  const codes = [...new Set(microphones.map(({ closeCode }) => closeCode))].join(', ');
  const mean = (points: readonly (readonly [number, number])[]): string =>
    (points.reduce((sum, [, y]) => sum + y, 0) / points.length).toFixed(1);
  console.log(`\nSoak: ${streams} streams and ${uploadsPerSecond} upload/s for ${minutes} minutes.`);
  console.log(`Resident memory ${mean(memory)} MB, slope ${slope(memory).toFixed(2)} MB a minute.`);
  console.log(`Event-loop lag p99 ${mean(lag)} ms, slope ${slope(lag).toFixed(2)} ms a minute.`);
  const uploaded = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
  console.log(`Uploads: ${uploaded}. Streams closed with ${codes}.`);
  await service.stop();
}
