import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Runs the garbage collector of the calling thread, which takes some 10 ms. V8 collects when memory is
 * allocated. A thread that loads something large and then idles would keep tens of megabytes of garbage
 * for minutes.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
