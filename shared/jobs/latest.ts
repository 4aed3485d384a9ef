import { startInBackground } from '../runtime/processes/start-in-background';

/**
 * Passes values to a slow consumer one at a time. Of values that arrive meanwhile only the latest is
 * kept.
 */
export interface Latest<T> {
  readonly put: (value: T) => void;
  /** Settles when no value is being consumed or waiting. */
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
      work ??= startInBackground(drain());
    },
    idle: async () => {
      await work;
    },
  };
}
