/**
 * Joins chunks into one array of `length` samples.
 * @param memory a buffer for the result; not used if it is too small, or more than twice as large as
 * needed
 */
export function concatenate(
  chunks: readonly Float32Array[],
  length: number,
  memory?: ArrayBuffer,
): Float32Array {
  const [only] = chunks;
  if (memory === undefined && chunks.length === 1 && only?.length === length) return only;
  const bytes = 4 * length;
  const fits = memory !== undefined && memory.byteLength >= bytes && memory.byteLength <= 2 * bytes;
  const joined = fits ? new Float32Array(memory, 0, length) : new Float32Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
