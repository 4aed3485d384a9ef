/** Finds an element by its id. @throws TypeError where the page has none of this kind */
export function byId<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`The page has no ${kind.name} with the id ${id}.`);
}

/** Creates an element with a class and content. */
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

/** Shows an error message at a place of the page; undefined hides it. */
export function showProblem(place: HTMLElement, words: string | undefined): void {
  place.hidden = words === undefined;
  // Setting the same text again would make screen readers repeat it.
  if (words !== undefined && place.textContent !== words) place.textContent = words;
}

export const prefersReducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
export const prefersDark = matchMedia('(prefers-color-scheme: dark)');
