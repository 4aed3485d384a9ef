import type { EventMessage } from '../../../../shared/contracts/stream.js';
import { announce } from '../elements/announcer.js';
import { byId } from '../elements/dom.js';
import { createHeardList } from './heard-list.js';
import type { Scope } from '../draw/scope.js';
import { labelWords } from '../elements/words.js';

/** What was heard, in the list, in the picture and aloud. */
export interface HeardSounds {
  /** Sounds since it was emptied. */
  readonly count: number;
  show(event: EventMessage): void;
  /** The service knows the sounds that last no more: they end here, and what comes is a stream of its own. */
  breakOff(atSeconds: number): void;
  clear(): void;
}

export function createHeardSounds(scope: Scope): HeardSounds {
  const list = createHeardList();
  const picture = byId('scope', HTMLCanvasElement);
  const lasting = new Map<string, EventMessage>();
  let stream = 0;
  let count = 0;

  const draw = (id: string, event: EventMessage): void => {
    const { label, onsetSeconds, offsetSeconds } = event;
    list.show(id, event);
    scope.mark(id, { words: labelWords(label), onsetSeconds, offsetSeconds: offsetSeconds ?? undefined });
  };
  return {
    get count() {
      return count;
    },
    show(event) {
      const words = labelWords(event.label);
      // Streams number their sounds each from 1.
      const id = `${stream}.${event.eventId}`;
      draw(id, event);
      if (event.event === 'started') {
        count += 1;
        lasting.set(id, event);
      } else lasting.delete(id);
      announce(`${words}, ${event.event}`);
      picture.setAttribute('aria-label', `Spectrogram of the last seconds; last heard: ${words}`);
    },
    breakOff(atSeconds) {
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
