import type { RawData, WebSocket } from 'ws';
import type { Clock } from '../../../shared/runtime/clock';
import {
  closeCodes,
  type ClientMessage,
  type ErrorMessage,
  type ReadyMessage,
} from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';
import type { Caller } from '../access/api-keys';
import { parseClientMessage } from './client-message';
import { closeCodeOf } from './close-code';
import type { Sink } from './outbox';
import type { StreamRegistry } from './stream-registry';
import type { StreamSession } from './stream-session';

export interface ConnectionOptions {
  readonly registry: StreamRegistry;
  readonly caller: Caller;
  /** On whose account (access/caller-id.ts). */
  readonly callerId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From the handshake to `start`, and from one message with audio to the next. */
  readonly startMs: number;
  readonly idleMs: number;
}

/** What `ws` closes with for a frame that it refuses. */
const codesOfBrokenFrames: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: closeCodes.tooBig,
  WS_ERR_INVALID_UTF8: closeCodes.malformed,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: closeCodes.policy,
};
/** Control messages are small; a larger one is no message. */
const maxTextBytes = 16 * 1024;
/** Bytes in the session's queue at which reading stops, and goes on again. */
const pauseBytes = 512 * 1024;
const resumeBytes = 128 * 1024;
/** What `ws` reports for a connection that ended without a close frame (RFC 6455, section 7.1.5). */
const lostCode = 1006;
/** A client that leaves so much unread gets no more pongs. */
const maxUnreadBytes = 64 * 1024;
/** Pings in a row that may stay without any sign of life. */
const maxMisses = 2;

/** One WebSocket: the order of messages, patience with its client, and how it ends. All else is the session's. */
export class StreamConnection {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #sink: Sink;
  readonly #release = (): void => {
    this.#fail(new AppError('wrong-order', 'Another connection has resumed this stream.'));
  };
  readonly #cancelStart: () => void;
  #session: StreamSession | undefined;
  #heardMs: number;
  #misses = 0;
  #draining = false;
  /** All that the session had to say is in its outbox. */
  #finished = false;
  /** A close frame was sent. */
  #over = false;
  #sentCode: number | undefined;

  constructor(socket: WebSocket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#sink = {
      send: (text) => {
        socket.send(text, () => {
          this.#sent();
        });
      },
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
    };
    this.#heardMs = options.clock.now();
    this.#cancelStart = options.clock.setTimer(() => {
      if (this.#session === undefined) this.#fail(tooQuiet(options.startMs, 'No start'));
    }, options.startMs);
    socket.on('message', (data, isBinary) => {
      this.#misses = 0;
      this.#guard(() => {
        this.#receive(data, isBinary);
      });
    });
    socket.on('pong', () => {
      this.#misses = 0;
    });
    socket.on('ping', (data) => {
      if (socket.bufferedAmount <= maxUnreadBytes) socket.pong(data);
    });
    socket.on('close', (code) => {
      this.#closed(code);
    });
    // A frame too large, broken UTF-8, a broken protocol: ws closes by itself, with the code for it.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#over = true;
      this.#sentCode ??= codesOfBrokenFrames[error.code ?? ''];
      if (this.#session !== undefined) options.registry.end(this.#session, this.#release);
    });
  }

  /** The close code that was sent to the client, if one was. */
  get sentCode(): number | undefined {
    return this.#sentCode;
  }

  /** How much of its place the stream makes use of, from 0 to 1. */
  get use(): number {
    return this.#session?.load.use ?? 0;
  }

  /** Another gets this stream's place. */
  giveUp(): void {
    const message = 'All streams are taken, and others need a place more; try again in 10 s.';
    this.#fail(new AppError('overloaded', message, { details: { retryAfterSeconds: 10 } }));
  }

  /** To be called regularly: pings, and gives up a client that showed no sign of life since the last two pings. */
  heartbeat(): void {
    // While we do not read, a pong could not be heard.
    if (this.#socket.isPaused) return;
    const { clock, idleMs } = this.#options;
    if (this.#session?.isEnding === false && clock.now() - this.#heardMs > idleMs) {
      this.#fail(tooQuiet(idleMs, 'No audio'));
    }
    if (this.#misses >= maxMisses) {
      this.#socket.terminate();
      return;
    }
    this.#misses++;
    this.#socket.ping();
  }

  /** The service stops: the client gets its last result and `done`, then the connection closes. */
  drain(): void {
    this.#draining = true;
    if (this.#session !== undefined) this.#session.end('draining');
    else this.#close(closeCodes.draining, 'shutting down');
  }

  /** Ends at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    // After `stop` nothing more is expected: a recorder's last blob may still come, or a second `stop`. To refuse
    // it would lose the results that are due. While the service shuts down, what live clients send has no place.
    if (this.#over || this.#session?.isEnding === true) return;
    const bytes = data as Buffer;
    if (isBinary) {
      this.#receiveAudio(bytes);
      return;
    }
    if (bytes.byteLength > maxTextBytes) {
      throw new AppError('payload-too-large', `A text message has at most ${maxTextBytes} bytes.`);
    }
    this.#receiveMessage(parseClientMessage(bytes.toString('utf8')));
  }

  #receiveMessage(message: ClientMessage): void {
    if (message.type === 'stop') {
      if (this.#session === undefined)
        throw new AppError('wrong-order', 'There is nothing to stop before start.');
      this.#session.end('stopped');
      return;
    }
    if (this.#session !== undefined)
      throw new AppError('wrong-order', 'This connection has its stream already.');
    const { registry, caller, callerId } = this.#options;
    if (message.type === 'start') {
      const session = registry.begin(message, caller, callerId, this.#sink, this.#release);
      this.#adopt(session);
      this.#send(registry.ready(session, false));
      return;
    }
    const session = registry.resume(message, caller, this.#release);
    this.#adopt(session);
    this.#send(registry.ready(session, true));
    session.outbox.resume(this.#sink, message.lastSeq);
  }

  #receiveAudio(bytes: Buffer): void {
    const session = this.#session;
    if (session === undefined) throw new AppError('wrong-order', 'Audio came before start.');
    this.#heardMs = this.#options.clock.now();
    session.push(bytes);
    if (session.queuedBytes > pauseBytes) this.#socket.pause();
  }

  #adopt(session: StreamSession): void {
    this.#session = session;
    this.#heardMs = this.#options.clock.now();
    session.onRoom = () => {
      if (this.#socket.isPaused && session.queuedBytes < resumeBytes) this.#socket.resume();
    };
    session.ended.then(
      () => {
        this.#finished = true;
        this.#sent();
      },
      (error: unknown) => {
        this.#fail(AppError.from(error));
      },
    );
    if (this.#draining) session.end('draining');
  }

  /** The client took something: more may follow, or the end. */
  #sent(): void {
    if (this.#session === undefined || this.#over) return;
    this.#guard(() => {
      this.#session?.outbox.flush();
    });
    if (!this.#finished || !this.#session.outbox.isEmpty) return;
    if (this.#draining) this.#close(closeCodes.draining, 'shutting down');
    else this.#close(closeCodes.done, 'done');
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(AppError.from(error));
    }
  }

  /** Says what is wrong and ends the connection, and with it the stream unless another connection has it. */
  #fail(error: AppError): void {
    if (this.#over) return;
    const { code, message, details } = error;
    const ours = closeCodeOf(code) === closeCodes.internal;
    if (ours) this.#options.logger.error({ err: error }, 'stream failed on our side');
    const retryAfterSeconds = details['retryAfterSeconds'];
    this.#send({
      type: 'error',
      code,
      message: ours ? 'Something went wrong on our side.' : message,
      ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
    });
    this.#close(closeCodeOf(code), code);
    if (this.#session !== undefined) this.#options.registry.end(this.#session, this.#release);
  }

  #send(message: ReadyMessage | ErrorMessage): void {
    this.#sink.send(JSON.stringify(message));
  }

  #close(code: number, reason: string): void {
    this.#over = true;
    this.#sentCode = code;
    // Paused, it would never hear the client's own close.
    if (this.#socket.isPaused) this.#socket.resume();
    this.#socket.close(code, reason);
  }

  /** A client that leaves properly is done with its stream; one whose connection was lost may come back. */
  #closed(code: number): void {
    this.#over = true;
    this.#cancelStart();
    const session = this.#session;
    if (session === undefined) return;
    const { registry } = this.#options;
    session.outbox.detach(this.#sink);
    if (code === lostCode) registry.detach(session, this.#release);
    else registry.end(session, this.#release);
  }
}

function tooQuiet(ms: number, what: string): AppError {
  return new AppError('request-timeout', `${what} came for ${ms / 1000} s.`);
}
