import type { PredictionMessage } from '../../../../shared/contracts/stream.js';
import { showBars } from '../draw/bars.js';
import { byId } from '../elements/dom.js';
import { detailText, isKnown, labelText, nearestSounds } from '../elements/text.js';

export const shownClasses = 3;

/** Shows in large letters what is heard now, with the confidence and the lag. */
export interface LiveView {
  showPrediction(message: PredictionMessage, lagMs: number | undefined): void;
  /** Shows the state of the page in place of a prediction. */
  showStatus(caption: string, label: string, detail: string): void;
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
    showPrediction(message, lagMs) {
      // In a multi-label version every class that reaches its threshold counts as heard.
      const isSure = message.labels !== undefined || (message.confidence ?? 0) >= 0.6;
      hearing.dataset['state'] = isKnown(message) && isSure ? 'sure' : 'unsure';
      caption.textContent = 'Hearing';
      label.textContent = labelText(message.label);
      detail.textContent = detailText(message);
      showBars(bars, nearestSounds(message), shownClasses);
      lag.textContent = lagMs === undefined ? '–' : lagText(lagMs);
    },
    showStatus(newCaption, newLabel, newDetail) {
      hearing.dataset['state'] = 'idle';
      caption.textContent = newCaption;
      label.textContent = newLabel;
      detail.textContent = newDetail;
      lag.textContent = '–';
    },
  };
}

function lagText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
