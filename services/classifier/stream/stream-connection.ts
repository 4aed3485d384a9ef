import type { RawData, WebSocket } from 'ws';
import type { Clock } from '../../../shared/runtime/clock';
import {
  closeCodes,
  type ClientMessage,
  type ErrorMessage,
  type ReadyMessage,
  type Source,
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
  /** The account (access/caller-id.ts). */
  readonly callerId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time allowed from the handshake to `start`. */
  readonly startMs: number;
  /** Time allowed from one message with audio to the next. */
  readonly idleMs: number;
}

/** The close codes that `ws` sends for frames that it refuses, by its error codes. */
const codesOfBrokenFrames: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: closeCodes.tooBig,
  WS_ERR_INVALID_UTF8: closeCodes.malformed,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: closeCodes.policy,
};
/** Largest text message in bytes; valid ones are much smaller. */
const maxTextBytes = 16 * 1024;
/** Bytes in the session's queue above which reading pauses, and below which it resumes. */
const pauseBytes = 512 * 1024;
const resumeBytes = 128 * 1024;
/** What `ws` reports for a connection that ended without a close frame (RFC 6455, section 7.1.5). */
const abnormalClosure = 1006;
/** A client with more unread bytes gets no pongs. */
const maxUnreadBytes = 64 * 1024;
/** Number of successive pings after which a client that sent nothing is disconnected. */
const maxUnansweredPings = 2;

/**
 * One WebSocket. It checks the order of messages, applies timeouts and backpressure, and closes the
 * socket with the right code. The audio is processed by the session.
 */
export class StreamConnection {
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #sink: Sink;
  readonly #release = (): void => {
    this.#fail(new AppError('wrong-order', 'Another connection has resumed this stream.'));
  };
  readonly #cancelStart: () => void;
  #session: StreamSession | undefined;
  #lastAudioMs: number;
  #unansweredPings = 0;
  #draining = false;
  /** Whether the session has ended, so that its last message is in the outbox. */
  #finished = false;
  /** Whether a close frame was sent, or the connection ended. */
  #isClosing = false;
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
    this.#lastAudioMs = options.clock.now();
    this.#cancelStart = options.clock.setTimer(() => {
      if (this.#session === undefined) this.#fail(timeoutError(options.startMs, 'No start'));
    }, options.startMs);
    socket.on('message', (data, isBinary) => {
      this.#unansweredPings = 0;
      this.#guard(() => {
        this.#receive(data, isBinary);
      });
    });
    socket.on('pong', () => {
      this.#unansweredPings = 0;
    });
    socket.on('ping', (data) => {
      if (socket.bufferedAmount <= maxUnreadBytes) socket.pong(data);
    });
    socket.on('close', (code) => {
      this.#closed(code);
    });
    // For an oversized frame, invalid UTF-8 or a protocol error, ws closes the connection by itself.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#isClosing = true;
      this.#sentCode ??= codesOfBrokenFrames[error.code ?? ''];
      if (this.#session !== undefined) options.registry.end(this.#session, this.#release);
    });
  }

  /** The close code that was sent to the client, if one was. */
  get sentCode(): number | undefined {
    return this.#sentCode;
  }

  /** What `start` said that the sound is of. */
  get source(): Source | undefined {
    return this.#session?.start.source;
  }

  /** Seconds of sound that the stream sends a second, from 0 to 1 (StreamLoad.use). */
  get use(): number {
    return this.#session?.load.use ?? 0;
  }

  /** Ends the stream, because another caller gets its place. */
  giveUp(): void {
    const message = 'All streams are taken, and others need a place more; try again in 10 s.';
    this.#fail(new AppError('overloaded', message, { details: { retryAfterSeconds: 10 } }));
  }

  /**
   * To be called at intervals: pings the client, and disconnects one that did not react to two pings.
   */
  heartbeat(): void {
    // While reading is paused, a pong could not be received.
    if (this.#socket.isPaused) return;
    const { clock, idleMs } = this.#options;
    if (this.#session?.isEnding === false && clock.now() - this.#lastAudioMs > idleMs) {
      this.#fail(timeoutError(idleMs, 'No audio'));
    }
    if (this.#unansweredPings >= maxUnansweredPings) {
      this.#socket.terminate();
      return;
    }
    this.#unansweredPings++;
    this.#socket.ping();
  }

  /**
   * Ends the stream for a shutdown: the client gets its last result and `done`, then close code 1001.
   */
  drain(): void {
    this.#draining = true;
    if (this.#session !== undefined) this.#session.end('draining');
    else this.#close(closeCodes.draining, 'shutting down');
  }

  /** Ends the connection at once, without a close frame. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    // What arrives after `stop` is ignored: a recorder's last blob, or a second `stop`. Refusing it
    // would lose results that are due. During a shutdown, what live clients go on sending is ignored
    // too.
    if (this.#isClosing || this.#session?.isEnding === true) return;
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
    this.#lastAudioMs = this.#options.clock.now();
    session.push(bytes);
    if (session.queuedBytes > pauseBytes) this.#socket.pause();
  }

  #adopt(session: StreamSession): void {
    this.#session = session;
    this.#lastAudioMs = this.#options.clock.now();
    session.onQueueDrained = () => {
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

  /** Called when a message was written: sends queued messages, or closes after the last one. */
  #sent(): void {
    if (this.#session === undefined || this.#isClosing) return;
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

  /** Sends the error and closes; ends the stream too, unless another connection has resumed it. */
  #fail(error: AppError): void {
    if (this.#isClosing) return;
    const { code, message, details } = error;
    const isInternal = closeCodeOf(code) === closeCodes.internal;
    if (isInternal)
      this.#options.logger.error({ err: error, source: this.source }, 'stream failed on our side');
    const retryAfterSeconds = details['retryAfterSeconds'];
    this.#send({
      type: 'error',
      code,
      message: isInternal ? 'Something went wrong on our side.' : message,
      ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
    });
    this.#close(closeCodeOf(code), code);
    if (this.#session !== undefined) this.#options.registry.end(this.#session, this.#release);
  }

  #send(message: ReadyMessage | ErrorMessage): void {
    this.#sink.send(JSON.stringify(message));
  }

  #close(code: number, reason: string): void {
    this.#isClosing = true;
    this.#sentCode = code;
    // A paused socket would not receive the client's close frame.
    if (this.#socket.isPaused) this.#socket.resume();
    this.#socket.close(code, reason);
  }

  /** A client that closes properly ends its stream; one whose connection was lost may resume it. */
  #closed(code: number): void {
    this.#isClosing = true;
    this.#cancelStart();
    const session = this.#session;
    if (session === undefined) return;
    const { registry } = this.#options;
    session.outbox.detach(this.#sink);
    if (code === abnormalClosure) registry.detach(session, this.#release);
    else registry.end(session, this.#release);
  }
}

function timeoutError(ms: number, what: string): AppError {
  return new AppError('request-timeout', `${what} came for ${ms / 1000} s.`);
}
