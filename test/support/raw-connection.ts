import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A client that says exactly what it is told to, byte by byte. */
export class RawConnection {
  readonly socket: Socket;
  #received = '';
  #closed = false;
  #changed: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1');
    // A server that closes early resets a connection that is still sending; the tests look at what was
    // received.
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: string) => {
      this.#received += chunk;
      this.#notify();
    });
    this.socket.on('close', () => {
      this.#closed = true;
      this.#notify();
    });
  }

  get received(): string {
    return this.#received;
  }

  async send(bytes: string | Uint8Array): Promise<void> {
    if (this.socket.connecting) await once(this.socket, 'connect');
    await new Promise((resolve) => this.socket.write(bytes, resolve));
  }

  /** What was received once it contains `text`; fails when the connection ends without. */
  async until(text: string): Promise<string> {
    while (!this.#received.includes(text)) {
      if (this.#closed) throw new Error(`Closed before "${text}" came; received: ${this.#received}`);
      await this.#change();
    }
    return this.#received;
  }

  async untilClosed(): Promise<string> {
    while (!this.#closed) await this.#change();
    return this.#received;
  }

  /** Hangs up without a word. */
  hangUp(): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #notify(): void {
    for (const heard of this.#changed.splice(0)) heard();
  }
}

/** Head of a `POST /classify` that announces `contentLength` bytes. */
export function uploadHead(contentLength: number, ...headers: string[]): string {
  return [
    'POST /classify HTTP/1.1',
    'Host: test',
    `Content-Length: ${contentLength}`,
    ...headers,
    '',
    '',
  ].join('\r\n');
}
