/**
 * The audio of a stream that may have to be sent (again): everything since a position, up to a bound.
 * Positions are bytes.
 */
export class AudioBacklog {
  readonly maxBytes: number;
  readonly #chunks: Uint8Array<ArrayBuffer>[] = [];
  #start = 0;
  #end = 0;

  /** @param maxBytes what is older than the newest so many bytes is forgotten, whole chunks at a time */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Position of the oldest byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Position behind the newest byte. */
  get end(): number {
    return this.#end;
  }

  append(chunk: Uint8Array<ArrayBuffer>): void {
    this.#chunks.push(chunk);
    this.#end += chunk.byteLength;
    this.forget(this.#end - this.maxBytes);
  }

  /** Lets go of the chunks that lie before a position. */
  forget(before: number): void {
    while (this.#chunks.length > 0 && this.#start + this.#chunks[0]!.byteLength <= before) {
      this.#start += this.#chunks.shift()!.byteLength;
    }
  }

  /** What lies behind a position. */
  from(position: number): Uint8Array<ArrayBuffer>[] {
    const rest: Uint8Array<ArrayBuffer>[] = [];
    let at = this.#start;
    for (const chunk of this.#chunks) {
      const skip = Math.max(0, position - at);
      if (skip < chunk.byteLength) rest.push(chunk.subarray(skip));
      at += chunk.byteLength;
    }
    return rest;
  }
}
