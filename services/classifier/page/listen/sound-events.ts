import type { EventMessage } from '../../../../shared/contracts/stream.js';
import { announce } from '../elements/announcer.js';
import { byId } from '../elements/dom.js';
import { createEventList } from './event-list.js';
import type { Scope } from '../draw/scope.js';
import { labelText } from '../elements/text.js';

/** Shows the detected sounds in the list and in the picture, and announces them to screen readers. */
export interface SoundEvents {
  /** Number of sounds since `clear`. */
  readonly count: number;
  show(event: EventMessage): void;
  /**
   * Ends all sounds that last, because their stream has ended. Events that follow belong to a new
   * stream.
   * @param atSeconds position of the end
   */
  endAll(atSeconds: number): void;
  clear(): void;
}

export function createSoundEvents(scope: Scope): SoundEvents {
  const list = createEventList();
  const picture = byId('scope', HTMLCanvasElement);
  const lasting = new Map<string, EventMessage>();
  let stream = 0;
  let count = 0;

  const draw = (id: string, event: EventMessage): void => {
    const { label, onsetSeconds, offsetSeconds } = event;
    list.show(id, event);
    scope.mark(id, { words: labelText(label), onsetSeconds, offsetSeconds: offsetSeconds ?? undefined });
  };
  return {
    get count() {
      return count;
    },
    show(event) {
      const words = labelText(event.label);
      // Every stream numbers its events from 1.
      const id = `${stream}.${event.eventId}`;
      draw(id, event);
      if (event.event === 'started') {
        count += 1;
        lasting.set(id, event);
      } else lasting.delete(id);
      announce(`${words}, ${event.event}`);
      picture.setAttribute('aria-label', `Spectrogram of the last seconds; last heard: ${words}`);
    },
    endAll(atSeconds) {
      for (const [id, event] of lasting) {
        draw(id, { ...event, event: 'ended', offsetSeconds: Math.max(event.onsetSeconds, atSeconds) });
      }
      lasting.clear();
      stream += 1;
    },
    clear() {
      list.clear();
      lasting.clear();
      count = 0;
      picture.setAttribute('aria-label', 'Spectrogram of the last seconds');
    },
  };
}
