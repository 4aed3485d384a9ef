/** A FIFO of bytes that arrive in chunks. */
export class ByteQueue {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #consumed = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Offset of the first byte in the whole stream. */
  get offset(): number {
    return this.#consumed;
  }

  push(piece: Uint8Array): void {
    const length = this.length;
    if (this.#end + piece.length > this.#bytes.length) {
      // Space freed at the front is used first; the memory grows only when that is not enough.
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

  /** Returns the byte at `index`; undefined while it has not arrived. */
  at(index: number): number | undefined {
    return index < this.length ? this.#bytes[this.#start + index] : undefined;
  }

  /** Returns all bytes; the view is valid until the next push. */
  view(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * Removes up to `count` bytes.
   * @returns how many were removed
   */
  skip(count: number): number {
    const skipped = Math.min(count, this.length);
    this.#start += skipped;
    this.#consumed += skipped;
    return skipped;
  }
}
