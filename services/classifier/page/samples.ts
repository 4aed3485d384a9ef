/** Recordings to try, in `samples/`; every one is CC0 (README). */
export const samples: readonly { readonly file: string; readonly words: string }[] = [
  { file: 'dog.ogg', words: 'Dog' },
  { file: 'rooster.ogg', words: 'Rooster' },
];

/** They lie beside the page's scripts, under the same changing folder. */
export function sampleUrl(file: string): URL {
  return new URL(`../../../samples/${file}`, import.meta.url);
}
