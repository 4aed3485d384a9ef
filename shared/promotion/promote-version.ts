import { maxPrevious, type GateCheck, type GateDecision } from '../contracts/lifecycle';
import type { NetworkConfig } from '../contracts/architecture';
import { distinctNetworks } from '../contracts/members';
import type { EngineChoice } from '../compute/provide/choose-engine';
import { AppError, isDiskFull } from '../errors/app-error';
import { openRegistry, type Registry, type Version } from '../registry/registry';
import { saveDecision, readReport } from '../registry/report-file';
import { readServingState, writeServingState, type ServingReading } from '../registry/serving-state';
import { decideGate } from './gate';
import { measureInProcess } from './measure-process';

/**
 * Chooses an engine that can run these networks.
 * @throws AppError as chooseEngine does
 */
export type ChooseFor = (networks: readonly NetworkConfig[]) => Promise<EngineChoice>;

export interface PromoteOptions {
  readonly modelsFolder: string;
  readonly version: string;
  /** Chooses the engine for the measurement, once the networks are known. */
  readonly engine: ChooseFor;
  /** Time limit for loading a version, and for measuring it, in milliseconds. */
  readonly limitMs: number;
  /** The user, for the record. */
  readonly by: string;
  /** Checks that are waived. */
  readonly waive?: readonly GateCheck[];
}

/** The result, as plain JSON. */
export interface Promotion {
  readonly promoted: boolean;
  readonly decision: GateDecision;
}

/**
 * Runs a version through the promotion gate and, if it passes, makes it the served one; services notice
 * that and load it. A refusal is a result and no error. The decision is kept in the version's
 * `report.json` in both cases.
 * @throws AppError not-found, invalid-checkpoint; engine-unavailable when it cannot be measured, or not
 * in time; conflict when a version is pinned, when it is served already, or when another change came
 * first; storage-full
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
  await saveOrFail(candidate.folder, decision);
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
    // A version that is promoted is no longer a shadow.
    shadow: before?.shadow?.version === name ? null : (before?.shadow ?? null),
  });
  return { promoted: true, decision };
}

function networksOf(...versions: readonly (Version | undefined)[]): NetworkConfig[] {
  return versions.flatMap((version) => (version === undefined ? [] : distinctNetworks(version.manifest)));
}

function assertMayBePromoted({ state }: ServingReading, name: string): void {
  if (state === undefined) return;
  if (state.pinned !== null) {
    throw new AppError('conflict', `${state.pinned} is pinned: unpin it first, then promote.`);
  }
  if (state.current === name) throw new AppError('conflict', `${name} serves already.`);
}

/**
 * Returns the version to compare with: the served one, or the best other one where no state was ever
 * written.
 */
async function currentVersion(
  registry: Registry,
  { state }: ServingReading,
  candidate: string,
): Promise<Version | undefined> {
  const others = (await registry.candidates()).filter(({ manifest }) => manifest.version !== candidate);
  return others.find(({ manifest }) => manifest.version === state?.current) ?? others[0];
}

async function saveOrFail(folder: string, decision: GateDecision): Promise<void> {
  try {
    await saveDecision(folder, decision);
  } catch (cause) {
    const message = 'The decision cannot be written into the version’s report.json: nothing was changed.';
    throw new AppError(isDiskFull(cause) ? 'storage-full' : 'conflict', message, { cause });
  }
}
