import type { EarshotClient } from '../../../shared/client/client.js';
import { byId } from './elements/dom.js';
import { errorWords } from './elements/words.js';

const [wellMs, unwellMs] = [30_000, 2000];

/** Keeps the line at the top true: whether the service is there, and which model answers. */
export interface ServiceWatch {
  /** There is reason to think that it has changed. */
  look(): void;
}

export function watchService(client: EarshotClient): ServiceWatch {
  const line = byId('service', HTMLElement);
  let timer: number | undefined;
  const show = (state: 'ready' | 'waiting' | 'away', words: string): void => {
    line.dataset['state'] = state;
    if (line.textContent !== words) line.textContent = words;
  };
  const ask = async (): Promise<number> => {
    try {
      const { status, reason } = await client.status();
      if (status !== 'ready') {
        show('waiting', reason);
        return unwellMs;
      }
      const { served } = await client.models();
      show('ready', served === null ? 'Ready' : `Ready: ${served.version}`);
      line.title = served === null ? '' : `Computed on ${served.engine}`;
      return wellMs;
    } catch (error) {
      show('away', errorWords(error));
      return unwellMs;
    }
  };
  const look = (): void => {
    clearTimeout(timer);
    // A page in the background has nobody to tell; it looks again when it is shown.
    if (document.hidden) return;
    void ask().then((pauseMs) => {
      clearTimeout(timer);
      timer = setTimeout(look, pauseMs);
    });
  };
  document.addEventListener('visibilitychange', look);
  look();
  return { look };
}
