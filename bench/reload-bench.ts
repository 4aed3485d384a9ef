import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Golden } from '../shared/contracts/lifecycle';
import { newestGeneration, writeServingState } from '../shared/registry/serving-state';
import { prepareModels } from './promotion-bench';
import { option, residentMegabytes, slope, startService, type BenchService } from './service';

/** Log messages at the end of a reload. */
const logMessages = {
  good: 'the model is loaded and warmed up',
  corrupt: 'what was promoted cannot be served',
};

/**
 * Measures resident memory over reloads that succeed, then over reloads of damaged versions, which fail.
 * It must stay constant. The end of a reload is read from the log, so the service gets no requests.
 */
export async function benchReloads(): Promise<void> {
  const times = option('times', 1000);
  const { path, versions } = await prepareModels();
  const damaged = await damagedVersions(path, versions[0]);
  const service = await startService({ MODELS_DIR: path, MODEL_VERSION: '' });
  try {
    console.log(`\n${times} good and ${times} corrupt reloads of ${versions[0]}:`);
    console.log(
      '\n| reloads | done | ms each | MB after a fifth | MB at the end | slope, MB per 100 |\n|---|---|---|---|---|---|',
    );
    await reload('good', service, path, times, (turn) => versions[turn % 2]!);
    // Of ten reloads, seven fail at the weights' size, two when a thread reads them, one at the golden
    // clips.
    await reload('corrupt', service, path, times, (turn) => damaged[Math.max(0, (turn % 10) - 7)]!);
  } finally {
    await service.stop();
    await rm(path, { recursive: true });
  }
}

/**
 * Makes copies with truncated weights, with a manifest of weights that is no JSON, and with wrong golden
 * clips.
 */
async function damagedVersions(path: string, version: string): Promise<readonly [string, string, string]> {
  const names = ['cut', 'unreadable', 'lying'].map((kind) => `${version}-${kind}`) as [
    string,
    string,
    string,
  ];
  for (const name of names) {
    await cp(join(path, version), join(path, name), { recursive: true });
    const manifest = JSON.parse(await readFile(join(path, name, 'manifest.json'), 'utf8')) as object;
    await writeFile(join(path, name, 'manifest.json'), JSON.stringify({ ...manifest, version: name }));
  }
  const [cut, unreadable, lying] = names;
  await truncate(join(path, cut, 'weights.bin'), 1000);
  await writeFile(join(path, unreadable, 'weights.json'), '[{');
  const golden = JSON.parse(await readFile(join(path, lying, 'golden.json'), 'utf8')) as Golden;
  const reversed = golden.clips.map((clip) => ({
    ...clip,
    probabilities: [...clip.probabilities].reverse(),
  }));
  await writeFile(join(path, lying, 'golden.json'), JSON.stringify({ ...golden, clips: reversed }));
  return [cut, unreadable, lying];
}

async function reload(
  kind: 'good' | 'corrupt',
  { child, logged }: BenchService,
  path: string,
  times: number,
  next: (turn: number) => string,
): Promise<void> {
  const memory: [turn: number, megabytes: number][] = [];
  const startedMs = performance.now();
  for (let turn = 0; turn < times; turn += 1) {
    const generation = await newestGeneration(path);
    const change = { change: 'promote' as const, by: 'bench', previous: [], pinned: null, shadow: null };
    const done = logged(logMessages[kind]);
    await writeServingState(path, generation, { ...change, current: next(turn + 1) });
    await done;
    // The first fifth is not measured: caches fill.
    if (turn >= times / 5 && turn % 5 === 0) memory.push([turn / 100, await residentMegabytes(child.pid!)]);
  }
  const ms = (performance.now() - startedMs) / times;
  const [start, end] = [memory[0]![1], await residentMegabytes(child.pid!)].map((megabytes) =>
    megabytes.toFixed(0),
  );
  console.log(`| ${kind} | ${times} | ${ms.toFixed(0)} | ${start} | ${end} | ${slope(memory).toFixed(2)} |`);
}
