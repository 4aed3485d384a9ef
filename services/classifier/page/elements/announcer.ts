import { byId } from './dom.js';

/**
 * Writes a text into the page's ARIA live region, for screen readers; a repeated text is not read again.
 */
export function announce(words: string): void {
  const place = byId('announcer', HTMLElement);
  if (place.textContent !== words) place.textContent = words;
}
