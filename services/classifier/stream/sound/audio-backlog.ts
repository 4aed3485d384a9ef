interface Message {
  readonly bytes: Uint8Array;
  readonly arrivedMs: number;
}

/** What a message takes beside its bytes: a flood of empty ones counts too. */
const messageOverheadBytes = 64;

/** A stream's messages that came in and were not worked off yet. */
export class AudioBacklog {
  #messages: Message[] = [];
  #bytes = 0;

  /** What they take in memory, that of the one being worked off included. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  push(bytes: Uint8Array, arrivedMs: number): void {
    this.#bytes += bytes.byteLength + messageOverheadBytes;
    this.#messages.push({ bytes, arrivedMs });
  }

  /** Works them off one after another, those that come meanwhile too. */
  async workOff(work: (message: Message) => Promise<void>): Promise<void> {
    for (let next = this.#messages.shift(); next !== undefined; next = this.#messages.shift()) {
      await work(next);
      this.#bytes = Math.max(0, this.#bytes - next.bytes.byteLength - messageOverheadBytes);
    }
  }

  clear(): void {
    this.#messages = [];
    this.#bytes = 0;
  }
}
