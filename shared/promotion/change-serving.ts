import type { ServingState } from '../contracts/lifecycle';
import { AppError } from '../errors/app-error';
import { isShortage } from '../errors/machine-fault';
import { openRegistry } from '../registry/registry';
import { readServingState, writeServingState, type ServingChange } from '../registry/serving-state';

type Kept = Omit<ServingChange, 'change' | 'by'>;

/**
 * Changes of the served version without the promotion gate. Each throws AppError conflict when another
 * change came first.
 */
export interface ServingChanges {
  /**
   * Replaces `version` by the one that served before it, skipping versions that are damaged or gone.
   * @throws AppError conflict when `version` does not serve, a version is pinned, or nothing served
   * before
   */
  rollBack(version: string): Promise<ServingState>;
  /**
   * Serves `version` whatever is current, until it is unpinned.
   * @throws AppError not-found, invalid-checkpoint
   */
  pin(version: string): Promise<ServingState>;
  /**
   * Ends the pinning.
   * @throws AppError conflict when `version` is not pinned
   */
  unpin(version: string): Promise<ServingState>;
  /**
   * Runs `version` as a shadow on a share of the requests, beside the served one.
   * @throws AppError not-found, invalid-checkpoint; conflict when it is the served version
   */
  shadow(version: string, share: number): Promise<ServingState>;
  /**
   * Ends the shadow.
   * @throws AppError conflict when `version` is no shadow
   */
  unshadow(version: string): Promise<ServingState>;
}

/** @param by the user, for the record */
export function changeServing(modelsFolder: string, by: string): ServingChanges {
  const registry = openRegistry(modelsFolder);
  const write = async (
    change: ServingState['change'],
    next: (kept: Kept) => Kept | Promise<Kept>,
  ): Promise<ServingState> => {
    const { generation, state } = await readServingState(modelsFolder);
    const kept: Kept = state ?? {
      current: (await registry.choose()).manifest.version,
      previous: [],
      pinned: null,
      shadow: null,
    };
    const { current, previous, pinned, shadow } = await next(kept);
    return writeServingState(modelsFolder, generation, { change, by, current, previous, pinned, shadow });
  };
  return {
    rollBack: (version) =>
      write('rollback', async (kept) => {
        refuseIf(kept.pinned !== null, `${kept.pinned ?? ''} is pinned: unpin it first, then roll back.`);
        refuseIf(kept.current !== version, `${version} does not serve: ${kept.current} does.`);
        const intact = await Promise.all(
          kept.previous.map((name) =>
            registry.read(name).catch((caught: unknown) => {
              if (isShortage(caught)) throw caught;
              return undefined;
            }),
          ),
        );
        const place = intact.findIndex((found) => found !== undefined);
        refuseIf(place === -1, 'Nothing that served before is left to go back to.');
        const current = kept.previous[place]!;
        const shadow = kept.shadow?.version === current ? null : kept.shadow;
        return { ...kept, current, previous: kept.previous.slice(place + 1), shadow };
      }),
    pin: (version) =>
      write('pin', async (kept) => {
        await registry.read(version);
        return { ...kept, pinned: version, shadow: kept.shadow?.version === version ? null : kept.shadow };
      }),
    unpin: (version) =>
      write('unpin', (kept) => {
        refuseIf(kept.pinned !== version, `${version} is not pinned.`);
        return { ...kept, pinned: null };
      }),
    shadow: (version, share) =>
      write('shadow', async (kept) => {
        await registry.read(version);
        refuseIf((kept.pinned ?? kept.current) === version, `${version} answers already: it has no shadow.`);
        return { ...kept, shadow: { version, share } };
      }),
    unshadow: (version) =>
      write('unshadow', (kept) => {
        refuseIf(kept.shadow?.version !== version, `${version} is no shadow.`);
        return { ...kept, shadow: null };
      }),
  };
}

function refuseIf(wrong: boolean, message: string): void {
  if (wrong) throw new AppError('conflict', message);
}
