/** The element that the document is known to have. */
export function byId<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`The page has no ${kind.name} with the id ${id}.`);
}

/** A new element with a class and its content. */
export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...content);
  return element;
}

/** Says what went wrong, in words, where it went wrong; with nothing, that it is well again. */
export function showProblem(place: HTMLElement, words: string | undefined): void {
  place.hidden = words === undefined;
  // Setting the same text again would have it read out again.
  if (words !== undefined && place.textContent !== words) place.textContent = words;
}

export const prefersReducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
export const prefersDark = matchMedia('(prefers-color-scheme: dark)');
