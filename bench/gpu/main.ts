import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { AppError } from '../../shared/errors/app-error';
import { encoderCacheFolder, engineCacheFolder } from '../../shared/environment';
import { provideEngine } from '../../shared/compute/provide/provide';
import { fetchEncoder, findEncoder } from '../../shared/compute/provide/provide-encoder';
import { buildKernels } from '../../shared/compute/provide/build-kernels';
import { failedRow, lineOf, tableHead, type CheckRow } from './check-row';
import { checkSize } from './check-size';
import type { EngineOrder, EngineReport } from './engine-process';
import { fallsBack, refusesToStart, serviceRows } from './service-checks';

/**
 * `npm run check-gpu -- [--rehearse] [--brief] [--seconds N] [--json FILE]`: for whoever has a card.
 * Provides the engine, compares every architecture and committed version on it with a reference in double
 * precision, trains ten steps on it and on the kernels, times engine, uploads and streams against the CPU,
 * and sees what it does without memory and without a card. Prints one table, row by row, and writes it as
 * JSON. With `--rehearse` the same on libtensorflow for the CPU, to see that the check works before a card
 * is paid for; with `--brief` the least of each check. It ends with 1 where something is not as it must
 * be; a check that fails does not keep the others from being made.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rehearse: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '6' },
      json: { type: 'string', default: 'check-gpu.json' },
    },
  });
  const kind = values.rehearse ? 'cpu' : 'cuda';
  const size = checkSize(Number(values.seconds), values.brief);
  if (!(size.seconds > 0)) throw new Error('--seconds: expected a number above 0');
  const started = performance.now();
  const hasEncoder = await provide(kind);
  const card = values.rehearse ? undefined : cards();
  console.log(`\n${card?.join('; ') ?? 'Rehearsed without a card.'} ${processor()}\n\n${tableHead}`);
  const rows: CheckRow[] = [];
  const add = (row: CheckRow): void => {
    rows.push(row);
    console.log(lineOf(row));
  };
  const tryTo = async (
    check: CheckRow['check'],
    subject: string,
    make: () => Promise<readonly CheckRow[]>,
  ): Promise<void> => {
    const made = await make().catch((error: unknown) => [failedRow(check, subject, error)]);
    made.forEach(add);
  };
  const { engine, kernels } = await checkEngine({ kind, size, hasEncoder }, add);
  await tryTo('device', 'ENGINE=cuda without a card', async () => [await refusesToStart()]);
  await tryTo('device', 'ENGINE=auto without a card', async () => [await fallsBack()]);
  const onEngine = values.rehearse ? { ENGINE: 'cpu', ENGINE_KERNELS: 'inputs' } : { ENGINE: 'cuda' };
  const onKernels = { ENGINE: 'cpu', ENGINE_KERNELS: 'native' };
  for (const [name, env] of [
    [engine, onEngine],
    ['the native kernels', onKernels],
  ] as const) {
    await tryTo('classify', name, () => serviceRows({ name, env, size }));
  }
  const failed = rows.filter(({ verdict }) => verdict?.passed === false).length;
  const machine = { card: card ?? null, processor: processor(), engine, kernels };
  const record = { rehearsed: values.rehearse, machine, seconds: (performance.now() - started) / 1000, rows };
  await writeFile(values.json, `${JSON.stringify(record, null, 2)}\n`);
  const result = failed === 0 ? 'All is as it must be' : `${failed} rows are not as they must be`;
  console.log(`\n${result}; ${values.json} has it as JSON. Engine: ${engine}. Kernels: ${kernels}.`);
  if (failed > 0) process.exitCode = 1;
}

/** @returns whether the pretrained encoder is here; without it what hears with it is left out */
async function provide(kind: 'cuda' | 'cpu'): Promise<boolean> {
  let shown = '';
  const onProgress = (line: string): void => {
    const step = line.replace(/: +\d+ of/, ':');
    if (step !== shown) console.log(step);
    shown = step;
  };
  const options = { cacheFolder: engineCacheFolder(), onProgress };
  await provideEngine(kind, options);
  await buildKernels(options);
  const [wish, cacheFolder] = [process.env['ENCODER'] ?? 'auto', encoderCacheFolder()];
  try {
    return (
      ((await findEncoder(wish, cacheFolder)) ?? (await fetchEncoder({ wish, cacheFolder }))) !== undefined
    );
  } catch (error) {
    console.log(`Without the pretrained encoder, and without its versions: ${AppError.from(error).message}`);
    return false;
  }
}

interface CheckedEngine {
  readonly engine: string;
  readonly kernels: string;
}

/** Rows come as they are made; where the process ends before its time, one that says after which. */
async function checkEngine(order: EngineOrder, add: (row: CheckRow) => void): Promise<CheckedEngine> {
  const child = fork(join(__dirname, 'engine-process.js'));
  let checked = { engine: `${order.kind} (it did not load)`, kernels: 'unknown' };
  let last = 'its start';
  child.on('message', (message) => {
    const report = message as EngineReport;
    if ('row' in report) {
      add(report.row);
      last = `${report.row.check} of ${report.row.subject}`;
    } else checked = report;
  });
  child.send(order, () => undefined);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code !== 0) {
    const error = new Error(`its process ended with ${signal ?? String(code)} after ${last}`);
    add(failedRow('load', checked.engine, error));
  }
  return checked;
}

/** What the driver says of the cards, each; empty where its tool is missing. */
function cards(): string[] {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader'];
  const { error, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  if (error !== undefined) return [];
  return stdout.trim().split('\n').filter(Boolean);
}

function processor(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
