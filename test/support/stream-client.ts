import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import WebSocket, { type ClientOptions } from 'ws';
import type { ServerMessage } from '../../shared/contracts/stream';

type Of<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** A client of `/stream` that does what it is told, right or wrong, and keeps what it hears. */
export class StreamClient {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  closeCode: number | undefined;
  #changed: (() => void)[] = [];

  private constructor(port: number, options: ClientOptions, protocols: readonly string[], path = '/stream') {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...protocols], options);
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString('utf8')) as ServerMessage);
      this.#notify();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => {
      this.closeCode = code;
      this.#notify();
    });
  }

  static async open(
    port: number,
    options: ClientOptions = {},
    protocols = ['earshot.v1'],
  ): Promise<StreamClient> {
    const client = new StreamClient(port, options, protocols);
    await once(client.socket, 'open');
    return client;
  }

  /** A handshake that is refused: its status and headers, and the problem document. */
  static async refusal(
    port: number,
    options: ClientOptions = {},
    protocols = ['earshot.v1'],
    path = '/stream',
  ): Promise<{
    status: number | undefined;
    headers: Record<string, unknown>;
    body: Record<string, unknown>;
  }> {
    const { socket } = new StreamClient(port, options, protocols, path);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
    return { status: response.statusCode, headers: response.headers, body: JSON.parse(text) };
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** Mono 16-bit PCM. */
  sendAudio(samples: Float32Array): void {
    this.socket.send(pcm16(samples));
  }

  of<T extends ServerMessage['type']>(type: T): Of<T>[] {
    return this.messages.filter((message): message is Of<T> => message.type === type);
  }

  /** The first message of a type, once it has come; fails when the connection closes without. */
  async first<T extends ServerMessage['type']>(type: T): Promise<Of<T>> {
    await this.until(() => this.of(type).length > 0);
    return this.of(type)[0]!;
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.closeCode !== undefined) {
        throw new Error(`Closed with ${this.closeCode} after ${JSON.stringify(this.messages)}`);
      }
      await this.#change();
    }
  }

  async closed(): Promise<number> {
    while (this.closeCode === undefined) await this.#change();
    return this.closeCode;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #notify(): void {
    for (const heard of this.#changed.splice(0)) heard();
  }
}

export function pcm16(samples: Float32Array): Buffer {
  const bytes = Buffer.alloc(samples.length * 2);
  samples.forEach((sample, index) => {
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))), index * 2);
  });
  return bytes;
}
