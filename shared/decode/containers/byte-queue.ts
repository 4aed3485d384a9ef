/** Bytes that came in pieces, read in order. */
export class ByteQueue {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #consumed = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Position in the whole stream of the byte at 0. */
  get offset(): number {
    return this.#consumed;
  }

  push(piece: Uint8Array): void {
    const length = this.length;
    if (this.#end + piece.length > this.#bytes.length) {
      // What was taken away leaves room at the front; memory grows only where that will not do.
      const fits = length + piece.length <= this.#bytes.length;
      const room = fits ? this.#bytes : new Uint8Array(Math.max(2 * length, length + piece.length));
      room.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = room;
      this.#start = 0;
      this.#end = length;
    }
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** The byte at `index`, if it has come. */
  at(index: number): number | undefined {
    return index < this.length ? this.#bytes[this.#start + index] : undefined;
  }

  /** All bytes that are here: a view that is good until the next push. */
  view(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Takes up to `count` bytes away. @returns how many there were */
  skip(count: number): number {
    const skipped = Math.min(count, this.length);
    this.#start += skipped;
    this.#consumed += skipped;
    return skipped;
  }
}
