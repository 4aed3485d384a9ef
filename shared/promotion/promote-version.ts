import { maxPrevious, type GateCheck, type GateDecision } from '../contracts/lifecycle';
import type { NetworkConfig } from '../contracts/architecture';
import type { EngineChoice } from '../compute/provide/choose-engine';
import { AppError, isDiskFull } from '../errors/app-error';
import { openRegistry, type Registry, type Version } from '../registry/registry';
import { keepDecision, readReport } from '../registry/report-file';
import { readServingState, writeServingState, type ServingReading } from '../registry/serving-state';
import { decideGate } from './gate';
import { measureInProcess } from './measure-process';

/** Chooses an engine that scores these networks. @throws AppError as chooseEngine does */
export type ChooseFor = (networks: readonly NetworkConfig[]) => Promise<EngineChoice>;

export interface PromoteOptions {
  readonly modelsFolder: string;
  readonly version: string;
  /** Where parity and latency are measured: chosen when it is known of which networks. */
  readonly engine: ChooseFor;
  /** How long a version may take to load, and then to be measured. */
  readonly limitMs: number;
  /** Who asks, for the record. */
  readonly by: string;
  /** Checks that shall not count. */
  readonly waive?: readonly GateCheck[];
}

/** Plain JSON. */
export interface Promotion {
  readonly promoted: boolean;
  readonly decision: GateDecision;
}

/**
 * Passes a version through the gate and, when it passes, makes it the one that serves; services see that and load it. A refusal is no
 * error. The decision is kept in the version's `report.json` either way.
 * @throws AppError not-found, invalid-checkpoint or engine-unavailable when it cannot be judged, or not in time; conflict when a version is pinned,
 *   when it serves already, or when another change came first; storage-full
 */
export async function promoteVersion(options: PromoteOptions): Promise<Promotion> {
  const { modelsFolder, version: name, engine, limitMs, by, waive = [] } = options;
  const registry = openRegistry(modelsFolder);
  const reading = await readServingState(modelsFolder);
  const candidate = await registry.read(name);
  assertMayBePromoted(reading, name);
  const current = await currentVersion(registry, reading, name);
  const choice = await engine(networksOf(candidate, current));
  const measured = await measureInProcess(candidate, current, { choice, limitMs });
  const decision = decideGate({
    candidate: { manifest: candidate.manifest, report: await readReport(candidate.folder) },
    current: current && { manifest: current.manifest, report: await readReport(current.folder) },
    measured,
    waive,
    by,
    decidedAt: new Date(),
  });
  await keep(candidate.folder, decision);
  if (!decision.passed) return { promoted: false, decision };
  const before = reading.state;
  const previous = [current?.manifest.version, ...(before?.previous ?? [])].filter(
    (known, index, all): known is string =>
      known !== undefined && known !== name && all.indexOf(known) === index,
  );
  await writeServingState(modelsFolder, reading.generation, {
    change: 'promote',
    by,
    current: name,
    previous: previous.slice(0, maxPrevious),
    pinned: null,
    // What is tried out beside itself is not tried out any more.
    shadow: before?.shadow?.version === name ? null : (before?.shadow ?? null),
  });
  return { promoted: true, decision };
}

function networksOf(...versions: readonly (Version | undefined)[]): NetworkConfig[] {
  return versions.flatMap((version) => (version === undefined ? [] : [version.manifest.network]));
}

function assertMayBePromoted({ state }: ServingReading, name: string): void {
  if (state === undefined) return;
  if (state.pinned !== null) {
    throw new AppError('conflict', `${state.pinned} is pinned: unpin it first, then promote.`);
  }
  if (state.current === name) throw new AppError('conflict', `${name} serves already.`);
}

/** What the candidate must not be worse than; where no state was ever written, the best of the others. */
async function currentVersion(
  registry: Registry,
  { state }: ServingReading,
  candidate: string,
): Promise<Version | undefined> {
  const others = (await registry.candidates()).filter(({ manifest }) => manifest.version !== candidate);
  return others.find(({ manifest }) => manifest.version === state?.current) ?? others[0];
}

async function keep(folder: string, decision: GateDecision): Promise<void> {
  try {
    await keepDecision(folder, decision);
  } catch (cause) {
    const message = 'The decision cannot be written into the version’s report.json: nothing was changed.';
    throw new AppError(isDiskFull(cause) ? 'storage-full' : 'conflict', message, { cause });
  }
}
