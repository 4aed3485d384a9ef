import type { EarshotClient } from '../../../shared/client/client.js';
import { byId } from './dom.js';
import { errorWords } from './words.js';

const [wellMs, unwellMs] = [30_000, 2000];

/** Keeps the line at the top true: whether the service is there, and which model answers. */
export function watchService(client: EarshotClient): void {
  const line = byId('service', HTMLElement);
  const show = (state: 'ready' | 'waiting' | 'away', words: string): void => {
    line.dataset['state'] = state;
    if (line.textContent !== words) line.textContent = words;
  };
  const look = async (): Promise<void> => {
    let pauseMs = unwellMs;
    try {
      const { status, reason } = await client.status();
      if (status === 'ready') {
        const { served } = await client.models();
        show('ready', served === null ? 'Ready' : `Ready: ${served.version}`);
        line.title = served === null ? '' : `Computed on ${served.engine}`;
        pauseMs = wellMs;
      } else show('waiting', reason);
    } catch (error) {
      show('away', errorWords(error));
    }
    // A page in the background has nobody to tell.
    if (document.hidden) {
      document.addEventListener('visibilitychange', () => void look(), { once: true });
    } else setTimeout(() => void look(), pauseMs);
  };
  void look();
}
