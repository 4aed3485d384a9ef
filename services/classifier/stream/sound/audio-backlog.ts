interface Message {
  readonly bytes: Uint8Array;
  readonly arrivedMs: number;
}

/** Memory of a message beside its bytes, so that a flood of empty messages counts too. */
const messageOverheadBytes = 64;

/** Queue of a stream's messages with audio that were not processed yet. */
export class AudioBacklog {
  #messages: Message[] = [];
  #bytes = 0;

  /** Memory of the queued messages, including the one that is being processed. */
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

  /** Processes the messages one after another, including those that arrive meanwhile. */
  async drain(work: (message: Message) => Promise<void>): Promise<void> {
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
