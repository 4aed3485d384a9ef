import { byId } from './dom.js';

/** Says to those who listen to the page what others see; the same words twice in a row are said once. */
export function announce(words: string): void {
  const place = byId('announcer', HTMLElement);
  if (place.textContent !== words) place.textContent = words;
}
