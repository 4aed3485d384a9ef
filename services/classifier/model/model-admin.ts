import type { GateCheck, ServingState } from '../../../shared/contracts/lifecycle';
import type { ServingChange } from '../../../shared/contracts/service-status';
import { AppError } from '../../../shared/errors/app-error';
import { changeServing } from '../../../shared/promotion/change-serving';
import { promoteVersion, type ChooseFor } from '../../../shared/promotion/promote-version';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import { readServingState } from '../../../shared/registry/serving-state';
import type { FollowProblem, ModelHost } from './model-host';

/**
 * The changes of what serves, for this process and for all others on the same folder. `by`: who asks.
 */
export interface ModelAdmin {
  /**
   * @throws AppError conflict with the decision in its details when the gate refuses; else as
   * promoteVersion
   */
  promote(version: string, waive: readonly GateCheck[], by: string): Promise<ServingChange>;
  rollBack(version: string, by: string): Promise<ServingChange>;
  pin(version: string, by: string): Promise<ServingChange>;
  unpin(version: string, by: string): Promise<ServingChange>;
  shadow(version: string, share: number, by: string): Promise<ServingChange>;
  unshadow(version: string, by: string): Promise<ServingChange>;
  /** The last version that the gate could not judge, and why; forgotten when one is judged. */
  readonly problem: FollowProblem | undefined;
}

export interface ModelAdminDeps {
  readonly host: ModelHost;
  readonly modelsFolder: string;
  readonly engine: ChooseFor;
  /** How long a version may take to load for the gate, and then to be measured. */
  readonly limitMs: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export function createModelAdmin(deps: ModelAdminDeps): ModelAdmin {
  const { host, modelsFolder, engine, limitMs, metrics, logger } = deps;
  let judging = false;
  let unjudged: FollowProblem | undefined;
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
    get problem() {
      return unjudged;
    },
    async promote(version, waive, by) {
      // Each loads a model beside those that serve: one at a time bounds the memory.
      if (judging) throw new AppError('conflict', 'Another version is being judged: ask again when it is.');
      judging = true;
      try {
        const options = { modelsFolder, version, engine, limitMs, by, waive };
        const { promoted, decision } = await promoteVersion(options).catch((caught: unknown) => {
          const { code, message: reason } = AppError.from(caught);
          if (code !== 'engine-unavailable') throw caught;
          metrics.gateDecisions.inc({ result: 'failed' });
          unjudged = { version, reason };
          logger.error(unjudged, 'a version could not be judged: what served serves on');
          throw caught;
        });
        unjudged = undefined;
        metrics.gateDecisions.inc({ result: promoted ? 'passed' : 'refused' });
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
