import type { PredictionMessage } from '../../../../shared/contracts/stream.js';
import { showBars } from '../draw/bars.js';
import { byId } from '../elements/dom.js';
import { detailWords, isKnown, labelWords, nearestSounds } from '../elements/words.js';

export const shownClasses = 3;

/** The large words: what is heard now, how surely, and how late this is known. */
export interface LiveView {
  predict(message: PredictionMessage, lagMs: number | undefined): void;
  /** In place of a prediction: what is going on. */
  say(caption: string, label: string, detail: string): void;
}

export function createLiveView(): LiveView {
  const hearing = byId('hearing', HTMLElement);
  const caption = byId('caption', HTMLElement);
  const label = byId('label', HTMLElement);
  const detail = byId('detail', HTMLElement);
  const bars = byId('bars', HTMLElement);
  const lag = byId('lag', HTMLOutputElement);
  showBars(bars, [], shownClasses);

  return {
    predict(message, lagMs) {
      // Where each class has a threshold of its own, what reaches it is heard.
      const isSure = message.labels !== undefined || (message.confidence ?? 0) >= 0.6;
      hearing.dataset['state'] = isKnown(message) && isSure ? 'sure' : 'unsure';
      caption.textContent = 'Hearing';
      label.textContent = labelWords(message.label);
      detail.textContent = detailWords(message);
      showBars(bars, nearestSounds(message), shownClasses);
      lag.textContent = lagMs === undefined ? '–' : lagWords(lagMs);
    },
    say(captionWords, labelText, detailWords) {
      hearing.dataset['state'] = 'idle';
      caption.textContent = captionWords;
      label.textContent = labelText;
      detail.textContent = detailWords;
      lag.textContent = '–';
    },
  };
}

function lagWords(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
