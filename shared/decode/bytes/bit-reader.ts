/**
 * Reads bits from the most significant bit of each byte on, as in FLAC. Beyond the end it returns zeros;
 * check `isExhausted`.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #limit: number;
  #at: number;

  constructor(bytes: Uint8Array, byteOffset: number) {
    this.#bytes = bytes;
    this.#limit = bytes.length * 8;
    this.#at = byteOffset * 8;
  }

  /** Whether more bits were read than there are. */
  get isExhausted(): boolean {
    return this.#at > this.#limit;
  }

  /** Offset of the next whole byte. */
  get byteOffset(): number {
    return (this.#at + 7) >>> 3;
  }

  /** Returns the next 32 bits as a signed number without consuming them. */
  #window(): number {
    const bytes = this.#bytes;
    const index = this.#at >>> 3;
    const shift = this.#at & 7;
    const word =
      (bytes[index]! << 24) | (bytes[index + 1]! << 16) | (bytes[index + 2]! << 8) | bytes[index + 3]!;
    return shift === 0 ? word : (word << shift) | (bytes[index + 4]! >> (8 - shift));
  }

  /** Reads an unsigned number of 0 to 32 bits. */
  read(bits: number): number {
    if (bits === 0) return 0;
    const value = this.#window() >>> (32 - bits);
    this.#at += bits;
    return value;
  }

  /** Reads a number in two's complement of 1 to 64 bits; exact up to 53 bits. */
  readSigned(bits: number): number {
    if (bits > 32) return this.readSigned(bits - 32) * 2 ** 32 + this.read(32);
    const value = this.#window() >> (32 - bits);
    this.#at += bits;
    return value;
  }

  /** Counts the zero bits before the next one bit, and consumes that as well. */
  readUnary(): number {
    let zeros = 0;
    while (this.#at < this.#limit) {
      const run = Math.clz32(this.#window());
      if (run < 32) {
        this.#at += run + 1;
        return zeros + run;
      }
      zeros += 32;
      this.#at += 32;
    }
    this.#at = this.#limit + 1;
    return zeros;
  }

  /**
   * Decodes Rice codes into `out[from…to−1]`: a unary quotient, then `parameter` low bits; the sign is
   * the lowest bit.
   */
  readRice(out: Float64Array, from: number, to: number, parameter: number): void {
    const scale = 2 ** parameter;
    for (let index = from; index < to && !this.isExhausted; index += 1) {
      const folded = this.readUnary() * scale + this.read(parameter);
      out[index] = (folded & 1) === 1 ? -(folded + 1) / 2 : folded / 2;
    }
  }
}
