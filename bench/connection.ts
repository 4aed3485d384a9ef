import { connect, type Socket } from 'node:net';

/**
 * The body of a request to a server under test: a recording's bytes, or a form with the file `audio`.
 */
export interface RequestBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

export interface RawAnswer {
  /** 0 for a connection that broke. */
  readonly status: number;
  readonly ms: number;
  /** The bytes from the status line to the last header. */
  readonly head: string;
  readonly body: string;
}

interface Waiting {
  readonly startedMs: number;
  readonly done: (answer: RawAnswer) => void;
}

/**
 * A minimal HTTP/1.1 client that sends one request after another over one socket. The client shares the
 * cores with the server that it measures, so it should need little CPU time.
 */
export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #waiting: Waiting | undefined;
  #received = '';

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends `POST /classify`. @param headers further header lines */
  post({ contentType, bytes }: RequestBody, headers: readonly string[] = []): Promise<RawAnswer> {
    const lines = [
      'POST /classify HTTP/1.1',
      `Host: 127.0.0.1:${this.#port}`,
      `Content-Type: ${contentType}`,
      `Content-Length: ${bytes.length}`,
      ...headers,
    ];
    const startedMs = performance.now();
    return new Promise((done) => {
      this.#waiting = { startedMs, done };
      this.#received = '';
      const socket = (this.#socket ??= this.#open());
      socket.cork();
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      socket.write(bytes);
      socket.uncork();
    });
  }

  /** Sends `POST /classify`. @throws Error for an answer other than 200 */
  async ask(body: RequestBody): Promise<RawAnswer> {
    const answer = await this.post(body);
    if (answer.status === 200) return answer;
    throw new Error(`POST /classify answered ${answer.status}: ${answer.body.slice(0, 200)}`);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#settle(socket);
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#answer(0, '', '');
    });
    return socket;
  }

  #settle(socket: Socket): void {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#received.slice(0, end);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    if (length === undefined) throw new Error(`An answer without Content-Length: ${head}`);
    const body = this.#received.slice(end + 4);
    if (body.length < Number(length)) return;
    if (/^connection: close$/im.test(head)) {
      this.#socket = undefined;
      socket.destroy();
    }
    this.#answer(Number(head.split(' ', 2)[1]), head, body);
  }

  #answer(status: number, head: string, body: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done({ status, ms: performance.now() - waiting.startedMs, head, body });
  }
}
