/** Recordings to try, in `samples/`; every one is CC0 (samples/README.md). */
export const samples: readonly { readonly file: string; readonly words: string }[] = [
  { file: 'dog.ogg', words: 'Dog' },
  { file: 'rooster.ogg', words: 'Rooster' },
  { file: 'rain.ogg', words: 'Rain' },
  { file: 'crying_baby.ogg', words: 'Crying baby' },
  { file: 'sneezing.ogg', words: 'Sneezing' },
  { file: 'clock_tick.ogg', words: 'Clock tick' },
];

/** They lie beside the page's scripts, under the same changing folder. */
export function sampleUrl(file: string): URL {
  return new URL(`../../../../samples/${file}`, import.meta.url);
}
