import type { GateCheck, ServingState } from '../../../shared/contracts/lifecycle';
import type { ServingChange } from '../../../shared/contracts/service-status';
import type { EngineChoice } from '../../../shared/engine/choose-engine';
import { AppError } from '../../../shared/errors/app-error';
import { changeServing } from '../../../shared/lifecycle/change-serving';
import { promoteVersion } from '../../../shared/lifecycle/promote-version';
import { readServingState } from '../../../shared/registry/serving-state';
import type { ModelHost } from './model-host';

/** The changes of what serves, for this process and for all others on the same folder. `by`: who asks. */
export interface ModelAdmin {
  /** @throws AppError conflict with the decision in its details when the gate refuses; else as promoteVersion */
  promote(version: string, waive: readonly GateCheck[], by: string): Promise<ServingChange>;
  rollBack(version: string, by: string): Promise<ServingChange>;
  pin(version: string, by: string): Promise<ServingChange>;
  unpin(version: string, by: string): Promise<ServingChange>;
  shadow(version: string, share: number, by: string): Promise<ServingChange>;
  unshadow(version: string, by: string): Promise<ServingChange>;
}

export interface ModelAdminDeps {
  readonly host: ModelHost;
  readonly modelsFolder: string;
  readonly engine: () => Promise<EngineChoice>;
}

export function createModelAdmin({ host, modelsFolder, engine }: ModelAdminDeps): ModelAdmin {
  let judging = false;
  /** What was changed is there to be used when the caller hears of it, in this process at least. */
  const followed = async (serving: ServingState): Promise<ServingChange> => {
    await host.follow();
    const { problem } = host;
    return {
      serving,
      served: host.current?.manifest.version ?? null,
      ...(problem === undefined ? {} : { problem: problem.reason }),
    };
  };
  return {
    async promote(version, waive, by) {
      // Each loads a model beside those that serve: one at a time bounds the memory.
      if (judging) throw new AppError('conflict', 'Another version is being judged: ask again when it is.');
      judging = true;
      try {
        const choice = await engine();
        const { promoted, decision } = await promoteVersion({ modelsFolder, version, choice, by, waive });
        if (!promoted) throw refusal(decision);
        const { state } = await readServingState(modelsFolder);
        return { ...(await followed(state!)), decision };
      } finally {
        judging = false;
      }
    },
    rollBack: async (version, by) => followed(await changeServing(modelsFolder, by).rollBack(version)),
    pin: async (version, by) => followed(await changeServing(modelsFolder, by).pin(version)),
    unpin: async (version, by) => followed(await changeServing(modelsFolder, by).unpin(version)),
    shadow: async (version, share, by) =>
      followed(await changeServing(modelsFolder, by).shadow(version, share)),
    unshadow: async (version, by) => followed(await changeServing(modelsFolder, by).unshadow(version)),
  };
}

function refusal(decision: Awaited<ReturnType<typeof promoteVersion>>['decision']): AppError {
  const why = decision.checks.filter(({ outcome, waived }) => outcome !== 'passed' && !waived);
  const detail = `The gate refuses ${decision.version}. ${why.map(({ message }) => message).join(' ')}`;
  return new AppError('conflict', detail, { details: { decision } });
}
