import { begun } from '../runtime/processes/background';

/** Hands values to a slow consumer one at a time; of those that come meanwhile only the latest. */
export interface Latest<T> {
  readonly put: (value: T) => void;
  /** Settles when nothing is in hand. */
  idle(): Promise<void>;
}

export function createLatest<T>(
  consume: (value: T) => Promise<void>,
  onError: (error: unknown) => void,
): Latest<T> {
  let waiting: { readonly value: T } | undefined;
  let work: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    while (waiting !== undefined) {
      const { value } = waiting;
      waiting = undefined;
      await consume(value).catch(onError);
    }
    work = undefined;
  };
  return {
    put(value) {
      waiting = { value };
      work ??= begun(drain());
    },
    idle: async () => {
      await work;
    },
  };
}
