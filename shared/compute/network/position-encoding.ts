/**
 * Sinusoidal positions (Vaswani et al. 2017, section 3.5): PE[t, 2i] = sin(t / 10000^(2i/width)), PE[t,
 * 2i+1] the cosine.
 * @returns [tokens, width], row by row
 */
export function positionEncoding(tokens: number, width: number): Float32Array {
  const encoding = new Float32Array(tokens * width);
  for (let token = 0; token < tokens; token++) {
    for (let pair = 0; pair < width; pair += 2) {
      const angle = token / 10_000 ** (pair / width);
      encoding[token * width + pair] = Math.sin(angle);
      encoding[token * width + pair + 1] = Math.cos(angle);
    }
  }
  return encoding;
}
