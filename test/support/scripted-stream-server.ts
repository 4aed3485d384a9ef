import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { z } from 'zod';
import {
  clientMessageSchema,
  serverMessageSchema,
  streamProtocol,
  type ServerMessage,
} from '../../shared/contracts/stream';
import type { ErrorCode } from '../../shared/errors/app-error';

type ClientMessage = z.infer<typeof clientMessageSchema>;

/** One connection, seen from the server: what came, in order, and what to answer. */
export class ServerSide {
  readonly protocols: string;
  readonly #socket: WebSocket;
  readonly #messages: ClientMessage[] = [];
  #audio = Buffer.alloc(0);
  #changed: (() => void)[] = [];

  constructor(socket: WebSocket, protocols: string) {
    this.#socket = socket;
    this.protocols = protocols;
    socket.on('message', (data: Buffer, isBinary) => {
      if (isBinary) this.#audio = Buffer.concat([this.#audio, data]);
      else this.#messages.push(clientMessageSchema.parse(JSON.parse(data.toString('utf8'))));
      for (const heard of this.#changed.splice(0)) heard();
    });
  }

  /** The next message of the client. */
  async message(): Promise<ClientMessage> {
    await this.#until(() => this.#messages.length > 0);
    return this.#messages.shift()!;
  }

  /** All audio of this connection, as soon as it is so many bytes. */
  async audio(bytes: number): Promise<Buffer> {
    await this.#until(() => this.#audio.length >= bytes);
    return this.#audio;
  }

  /** Sends a message as the contract has it; what is left out does not matter to clients. */
  say(message: Partial<ServerMessage> & Pick<ServerMessage, 'type'>): void {
    this.#socket.send(JSON.stringify(serverMessageSchema.parse({ ...templates[message.type], ...message })));
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause();
  }

  close(code: number): void {
    this.#socket.close(code);
  }

  /** As when a cable is pulled. */
  cut(): void {
    this.#socket.terminate();
  }

  async closed(): Promise<number> {
    const [code] = (await once(this.#socket, 'close')) as [number];
    return code;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }
}

/** A server that does with streams what a test tells it to, and is as ready as a test wants. */
export class ScriptedStreamServer {
  readonly #server: Server;
  readonly #waiting: ServerSide[] = [];
  #changed: (() => void)[] = [];
  /** While set, handshakes are refused, and `GET /stream` says with which code. */
  refuseWith: ErrorCode | undefined;

  constructor() {
    this.#server = createServer((_req, res) => {
      res.statusCode = 503;
      res.end(JSON.stringify({ code: this.refuseWith ?? 'upgrade-required', detail: 'for the test' }));
    });
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => streamProtocol });
    this.#server.on('upgrade', (request, socket, head) => {
      if (this.refuseWith !== undefined) {
        socket.end('HTTP/1.1 503 Refused\r\nConnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (connection) => {
        this.#waiting.push(new ServerSide(connection, request.headers['sec-websocket-protocol'] ?? ''));
        for (const heard of this.#changed.splice(0)) heard();
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next connection that was opened. */
  async connection(): Promise<ServerSide> {
    while (this.#waiting.length === 0) await new Promise<void>((resolve) => this.#changed.push(resolve));
    return this.#waiting.shift()!;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const model = { id: 'm', architecture: 'cnn', version: 'v' };
const templates = {
  ready: {
    streamId: 'one',
    resumed: false,
    model,
    sampleRate: 16_000,
    windowSeconds: 5,
    hopSeconds: 0.5,
    labels: ['dog'],
    receivedBytes: 0,
    limits: { messageBytes: 1_048_576, bufferedSeconds: 10, resumeSeconds: 30, idleSeconds: 60 },
  },
  prediction: {
    startSeconds: 0,
    silent: false,
    unknown: false,
    label: 'dog',
    confidence: 1,
    level: -20,
    lagMs: 1,
    skipped: 0,
    predictions: [{ label: 'dog', probability: 1 }],
  },
  event: { event: 'started', eventId: 1, label: 'dog', offsetSeconds: null, peakConfidence: 1 },
  notice: { notice: 'messages-lost', count: 1, message: 'for the test' },
  error: { message: 'for the test' },
  done: {
    reason: 'stopped',
    totals: {
      audioSeconds: 0,
      receivedBytes: 0,
      predictions: 0,
      silent: 0,
      events: 0,
      droppedSeconds: 0,
      meanLagMs: 0,
      maxLagMs: 0,
    },
  },
} as const;
