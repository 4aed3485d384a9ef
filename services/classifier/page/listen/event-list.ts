import type { EventMessage } from '../../../../shared/contracts/stream.js';
import { byId, create } from '../elements/dom.js';
import { clockTime, labelText, percent, seconds } from '../elements/text.js';

const maxShownEvents = 30;

/** The list of detected sounds, one line each, the newest first. */
export interface EventList {
  show(id: string, event: EventMessage): void;
  clear(): void;
}

export function createEventList(): EventList {
  const list = byId('events', HTMLOListElement);
  const empty = byId('events-empty', HTMLElement);
  const rows = new Map<string, HTMLLIElement>();
  return {
    show(id, { label, onsetSeconds, offsetSeconds, peakConfidence }) {
      empty.hidden = true;
      let row = rows.get(id);
      if (row === undefined) {
        row = create('li', 'event');
        rows.set(id, row);
        list.prepend(row);
      }
      const length = offsetSeconds === null ? 'now' : seconds(offsetSeconds - onsetSeconds);
      row.dataset['lasting'] = String(offsetSeconds === null);
      row.replaceChildren(
        create('span', 'event-time number', clockTime(onsetSeconds)),
        create('span', 'event-label', labelText(label)),
        create('span', 'event-length number', length),
        create('span', 'event-peak number', percent(peakConfidence)),
      );
      while (list.children.length > maxShownEvents) list.lastElementChild!.remove();
      const [oldest] = rows.keys();
      if (rows.size > 2 * maxShownEvents && oldest !== undefined) rows.delete(oldest);
    },
    clear() {
      rows.clear();
      list.replaceChildren();
      empty.hidden = false;
    },
  };
}
