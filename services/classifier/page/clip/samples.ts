/** Sample recordings in `samples/`; all of them are CC0 (samples/README.md). */
export const samples: readonly { readonly file: string; readonly words: string }[] = [
  { file: 'dog.ogg', words: 'Dog' },
  { file: 'rooster.ogg', words: 'Rooster' },
  { file: 'rain.ogg', words: 'Rain' },
  { file: 'crying_baby.ogg', words: 'Crying baby' },
  { file: 'sneezing.ogg', words: 'Sneezing' },
  { file: 'clock_tick.ogg', words: 'Clock tick' },
];

/** URL of a sample. Samples are served below the same versioned folder as the page's scripts. */
export function sampleUrl(file: string): URL {
  return new URL(`../../../../samples/${file}`, import.meta.url);
}
