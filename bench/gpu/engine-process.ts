import { chooseEngine } from '../../shared/compute/provide/choose-engine';
import { loadEngine } from '../../shared/compute/provide/load-engine';
import { gateLimits } from '../../shared/promotion/gate';
import { failedRow, type CheckRow } from './check-row';
import type { CheckSize } from './check-size';
import { compareWithReference, exhaustMemory, timeBeside } from './engine-checks';
import { steppedNetworks, subjects } from './subjects';
import { trainOnBoth } from './training-check';

/** What the process is told. */
export interface EngineOrder {
  readonly kind: 'cuda' | 'cpu';
  readonly size: CheckSize;
  /** Whether the pretrained encoder is on this machine. */
  readonly hasEncoder: boolean;
}

/** What the process reports, one message after the other. */
export type EngineReport = { readonly engine: string; readonly kernels: string } | { readonly row: CheckRow };

/** Of a logit, and of losses. A card multiplies in TF32, which has 10 bits. */
const limits = {
  cpu: { parity: 1e-4, training: { first: 1e-4, ten: 0.02 } },
  cuda: { parity: gateLimits.parityTolerance, training: { first: 0.01, ten: 0.1 } },
} as const;

/** Checks an engine in a process of its own, which may die of it. */
async function main({ kind, size, hasEncoder }: EngineOrder): Promise<void> {
  const choice = await chooseEngine({
    wish: kind,
    kernels: 'inputs',
    onProgress: () => undefined,
    onFallback: (reason) => {
      throw new Error(reason);
    },
  });
  const engine = await loadEngine(choice);
  const kernels = { ...engine.kernels!, computes: 'networks' } as const;
  const native = { ...engine, kernels, choice: { ...choice, kernels } };
  await send({
    engine: engine.description,
    kernels: `${kernels.instructionSet}, ${kernels.threads} threads`,
  });
  const all = await subjects(size, hasEncoder);
  for (const subject of all) {
    await report('parity', subject.name, () => compareWithReference(subject, engine, limits[kind].parity));
  }
  for (const { config } of steppedNetworks(size)) {
    const limit = limits[kind].training;
    await report('training', config.architecture, () => trainOnBoth(config, engine, native, limit));
  }
  for (const subject of all) {
    await report('engine', subject.name, () => timeBeside(subject, engine, native, size));
  }
  await report('memory', all[0]!.name, () => exhaustMemory(all[0]!, engine));
}

/** Makes a check and reports its row. */
async function report(
  check: CheckRow['check'],
  subject: string,
  make: () => CheckRow | Promise<CheckRow>,
): Promise<void> {
  const row = await Promise.resolve()
    .then(make)
    .catch((error: unknown) => failedRow(check, subject, error));
  await send({ row });
}

/** Resolves when it is sent: the process may die of the next check. */
function send(message: EngineReport): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Nobody wants more rows. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

process.once('disconnect', end);
process.once('message', (order: EngineOrder) => {
  void main(order)
    .catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    })
    .then(() => {
      process.off('disconnect', end);
      process.disconnect();
    });
});
