import type { EarshotClient } from '../../../../shared/client/client.js';
import { byId } from './dom.js';
import { errorText } from './text.js';

/** Polling intervals while the service is ready, and while it is not. */
const [readyPollMs, notReadyPollMs] = [30_000, 2000];

/** Polls the service and shows at the top of the page whether it is ready and which model serves. */
export interface ServiceWatch {
  /** Polls now, because the state has probably changed. */
  refresh(): void;
}

export function watchService(client: EarshotClient): ServiceWatch {
  const line = byId('service', HTMLElement);
  let timer: number | undefined;
  const show = (state: 'ready' | 'waiting' | 'away', words: string): void => {
    line.dataset['state'] = state;
    if (line.textContent !== words) line.textContent = words;
  };
  const poll = async (): Promise<number> => {
    try {
      const { status, reason } = await client.status();
      if (status !== 'ready') {
        show('waiting', reason);
        return notReadyPollMs;
      }
      const { served } = await client.models();
      show('ready', served === null ? 'Ready' : `Ready: ${served.version}`);
      line.title = served === null ? '' : `Computed on ${served.engine}`;
      return readyPollMs;
    } catch (error) {
      show('away', errorText(error));
      return notReadyPollMs;
    }
  };
  const refresh = (): void => {
    clearTimeout(timer);
    // A hidden page does not poll; it polls again when it becomes visible.
    if (document.hidden) return;
    void poll().then((pauseMs) => {
      clearTimeout(timer);
      timer = setTimeout(refresh, pauseMs);
    });
  };
  document.addEventListener('visibilitychange', refresh);
  refresh();
  return { refresh };
}
