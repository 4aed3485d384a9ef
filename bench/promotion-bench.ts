import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Classification } from '../shared/contracts/classification';
import { openRegistry } from '../shared/registry/registry';
import { median, quantile } from './median';
import { call, option, projectFolder, sleep, startService } from './service';

const connections = 32;
const clips = ['dog', 'rooster', 'clock_tick'];
/** Length of the measurements without promotions, before and after those with promotions. */
const steadyMs = 10_000;

export interface Folder {
  readonly path: string;
  /** Two versions with the same network and different answers. */
  readonly versions: readonly [string, string];
}

/**
 * Copies the version of `MODEL_VERSION`, else the default one, and makes a twin with other
 * probabilities.
 */
export async function prepareModels(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'earshot-bench-models-'));
  const { manifest, folder } = await openRegistry(join(projectFolder, 'models')).choose(
    process.env['MODEL_VERSION'],
  );
  await cp(folder, join(path, manifest.version), { recursive: true });
  const twin = `${manifest.version}-twin`;
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Record<string, unknown>;
  // Another temperature gives other probabilities from the same weights. The twin has no golden clips.
  const calibration = { temperature: 2 * (manifest.calibration?.temperature ?? 1), unknownBelow: 0 };
  for (const name of ['weights.json', 'weights.bin']) await cp(join(folder, name), join(path, twin, name));
  await writeFile(
    join(path, twin, 'manifest.json'),
    JSON.stringify({ ...manifest, version: twin, calibration }),
  );
  await writeFile(join(path, twin, 'report.json'), JSON.stringify({ ...report, version: twin }));
  return { path, versions: [manifest.version, twin] };
}

function numbersOf(body: string): { version: string; numbers: number[] } {
  const { model, windows } = JSON.parse(body) as Classification;
  const numbers = windows.flatMap(({ predictions }) =>
    [...predictions].sort((a, b) => (a.label < b.label ? -1 : 1)).map(({ probability }) => probability),
  );
  return { version: model.version, numbers };
}

/** Promotes two versions in turn under load. Reports failures, mixed answers and the latency. */
export async function benchPromotions(): Promise<void> {
  const times = option('times', 100);
  const { path, versions } = await prepareModels();
  const bytes = await Promise.all(
    clips.map((name) => readFile(join(projectFolder, 'samples', `${name}.ogg`))),
  );
  const service = await startService({ MODELS_DIR: path, MODEL_VERSION: '' });
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const expected = new Map<string, number[][]>();
  const classify = (clip: number, through?: Agent): ReturnType<typeof call> =>
    call(service.port, 'POST', '/classify?topK=1000', bytes[clip], through);
  const promote = async (version: string): Promise<void> => {
    const waive = Buffer.from(JSON.stringify({ waive: ['parity', 'latency'] }));
    const path = `/models/${version}/promote`;
    const { status, body } = await call(service.port, 'POST', path, waive, undefined, service.adminHeaders);
    if (status !== 200) throw new Error(`${status}: ${body}`);
  };
  const recordExpected = async (): Promise<void> => {
    const answers = (await Promise.all(bytes.map((_, clip) => classify(clip)))).map(({ body }) =>
      numbersOf(body),
    );
    expected.set(
      answers[0]!.version,
      answers.map(({ numbers }) => numbers),
    );
  };
  try {
    await recordExpected();
    await promote(versions[expected.has(versions[0]) ? 1 : 0]);
    await recordExpected();
    const steady: number[] = [];
    const during: number[] = [];
    const failures = new Map<string, number>();
    let [mixed, stopped, promoting] = [0, false, false];
    const clients = Array.from({ length: connections }, async (_, client) => {
      for (let turn = client; !stopped; turn += 1) {
        const { status, ms, body } = await classify(turn % clips.length, agent);
        if (status !== 200) {
          const key = `${status} ${body.slice(0, 120)}`;
          failures.set(key, (failures.get(key) ?? 0) + 1);
          continue;
        }
        (promoting ? during : steady).push(ms);
        const { version, numbers } = numbersOf(body);
        const right = expected.get(version)![turn % clips.length]!;
        if (numbers.some((value, index) => Math.abs(value - right[index]!) > 1e-3)) mixed += 1;
      }
    });
    await sleep(steadyMs);
    promoting = true;
    const tookMs: number[] = [];
    for (let turn = 0; turn < times; turn += 1) {
      const startedMs = performance.now();
      await promote(versions[turn % 2]!);
      tookMs.push(performance.now() - startedMs);
    }
    promoting = false;
    await sleep(steadyMs);
    stopped = true;
    await Promise.all(clients);
    console.log(`\n${times} promotions of ${versions[0]} and its twin under ${connections} connections:`);
    console.log(
      `${steady.length + during.length} answers, ${mixed} mixed; not answered: ${[...failures].map(([what, n]) => `${n} × ${what}`).join(', ') || 'none'}.`,
    );
    console.log(`A promotion takes ${median(tookMs).toFixed(0)} ms (gate and reload).`);
    console.log('\n| | answers | p50 ms | p99 ms |\n|---|---|---|---|');
    for (const [name, ms] of [
      ['steady', steady],
      ['during a promotion', during],
    ] as const) {
      console.log(`| ${name} | ${ms.length} | ${median(ms).toFixed(0)} | ${quantile(ms, 0.99).toFixed(0)} |`);
    }
    console.log(
      `\np99 during a promotion: ${(quantile(during, 0.99) / quantile(steady, 0.99)).toFixed(2)} × steady.`,
    );
  } finally {
    agent.destroy();
    await service.stop();
    await rm(path, { recursive: true });
  }
}
