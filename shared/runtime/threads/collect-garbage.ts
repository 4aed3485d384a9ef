import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Collects the calling thread's garbage, which takes it some 10 ms. V8 collects when more is allocated: a thread that has loaded
 * something large and then idles keeps what the loading left, tens of megabytes, for minutes.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
