import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Clock } from '../../../shared/runtime/clock';
import { streamProtocol } from '../../../shared/contracts/stream';
import { AppError } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import type { Caller, Identify } from '../access/api-keys';
import type { CallerIdOf } from '../access/caller-id';
import type { OriginRules } from '../access/origin';
import type { Admission } from '../access/admission';
import { problemHeaders, problemOf } from '../http/problem';
import { ignoreUpgrade } from '../http/server/ignored-upgrade';
import { afterResponses } from '../http/server/open-responses';
import { answerOnSocket } from '../http/server/raw-answer';
import { isPath, targetOf } from '../http/server/request-target';
import { StreamConnection } from './stream-connection';
import type { StreamRegistry } from './stream-registry';

export interface StreamServerOptions {
  readonly registry: StreamRegistry;
  readonly admission: Admission;
  readonly identify: Identify;
  readonly callerIdOf: CallerIdOf;
  readonly origins: OriginRules;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Largest frame in bytes. */
  readonly maxMessageBytes: number;
  readonly pingMs: number;
  readonly startMs: number;
  readonly idleMs: number;
}

export interface StreamServer {
  /** Number of streams, those that wait for their client to come back included. */
  readonly size: number;
  /**
   * Every client gets its last result, `done` and close code 1001; resolves when the last connection is
   * closed.
   */
  drain(): Promise<void>;
  /** Ends what is left at once. */
  close(): void;
}

/** An admitted stream, from its handshake on. */
interface AdmittedStream {
  readonly caller: Caller;
  readonly callerId: string;
  connection: StreamConnection | undefined;
  leave: () => void;
}

export const streamPath = '/stream';
/** Largest number of fragments of a message; more would only serve to use up memory. */
const maxFragments = 1024;
/**
 * The declarations of ws do not list it: how many milliseconds a client may take to answer a close
 * frame.
 */
const undeclaredOptions = { closeTimeout: 5000 };

/**
 * Serves `/stream` on an HTTP server: checks and admits handshakes, counts streams and pings clients.
 */
export function createStreamServer(server: Server, options: StreamServerOptions): StreamServer {
  const { admission, identify, metrics, logger, clock } = options;
  const connections = new Set<StreamConnection>();
  const perCaller = new Map<string, number>();
  let onEmpty: () => void = () => undefined;
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Audio hardly compresses, and a deflate window for each connection would cost memory.
    perMessageDeflate: false,
    // A read of 64 KiB can hold thousands of messages; other sockets are served between two of them.
    allowSynchronousEvents: false,
    // StreamConnection answers pings, unless the client reads too slowly.
    autoPong: false,
    maxPayload: options.maxMessageBytes,
    maxFragments,
    maxBufferedChunks: 16 * maxFragments,
    ...undeclaredOptions,
    // The subprotocol that carries an API key is never selected.
    handleProtocols: (protocols) => (protocols.has(streamProtocol) ? streamProtocol : false),
  });
  sockets.on('wsClientError', ({ message }, socket) => {
    const error = new AppError(
      'malformed-request',
      `This is no WebSocket handshake of RFC 6455: ${message}.`,
    );
    refuse(socket, error, metrics, logger, { 'Sec-WebSocket-Version': '13' });
  });
  const heartbeat = setInterval(() => {
    for (const connection of connections) connection.heartbeat();
  }, options.pingMs);
  heartbeat.unref();

  function admit(request: IncomingMessage): AdmittedStream {
    options.origins.admit(request);
    const caller = identify(request.headers);
    const callerId = options.callerIdOf(caller, request);
    const open = perCaller.get(caller.name) ?? 0;
    if (open >= caller.maxStreams) {
      throw new AppError('rate-limited', `This key has ${open} streams open, and that is the most.`, {
        details: { retryAfterSeconds: 10 },
      });
    }
    const admitted: AdmittedStream = { caller, callerId, connection: undefined, leave: () => undefined };
    const release = admission.admitStream(callerId, {
      get use() {
        return admitted.connection?.use ?? 0;
      },
      giveUp: () => {
        metrics.overloads.inc({ cause: 'stream-displaced' });
        if (admitted.connection === undefined) request.socket.destroy();
        else admitted.connection.giveUp();
      },
    });
    perCaller.set(caller.name, open + 1);
    admitted.leave = () => {
      release();
      const left = perCaller.get(caller.name)! - 1;
      if (left === 0) perCaller.delete(caller.name);
      else perCaller.set(caller.name, left);
    };
    return admitted;
  }

  function open(socket: WebSocket, admitted: AdmittedStream): void {
    const { registry, startMs, idleMs } = options;
    const { caller, callerId, leave } = admitted;
    const requestId = randomUUID();
    const openedMs = clock.now();
    const log = logger.child({ requestId });
    metrics.streamsOpened.inc();
    const connection = new StreamConnection(socket, {
      registry,
      caller,
      callerId,
      clock,
      logger: log,
      startMs,
      idleMs,
    });
    admitted.connection = connection;
    connections.add(connection);
    socket.on('close', (received) => {
      const code = connection.sentCode ?? received;
      connections.delete(connection);
      leave();
      metrics.countStreamClosed(code);
      const seconds = Math.round((clock.now() - openedMs) / 100) / 10;
      const { source } = connection;
      log.info({ route: streamPath, caller: caller.name, source, code, seconds }, 'stream closed');
      if (connections.size === 0) onEmpty();
    });
  }

  function handshake(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let admitted: AdmittedStream;
    try {
      admitted = admit(request);
    } catch (caught) {
      refuse(socket, AppError.from(caught), metrics, logger);
      return;
    }
    const { leave } = admitted;
    // If ws refuses the handshake or the client disconnects, the place is freed when the socket closes.
    socket.once('close', leave);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('close', leave);
      open(webSocket, admitted);
    });
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    if (isHandshake(request)) {
      afterResponses(socket, () => {
        handshake(request, socket, head);
      });
    } else if (socket instanceof Socket) {
      ignoreUpgrade(server, request, socket, head);
    }
  });

  return {
    get size() {
      return options.registry.size;
    },
    async drain() {
      for (const connection of connections) connection.drain();
      if (connections.size > 0) await new Promise<void>((resolve) => (onEmpty = resolve));
      this.close();
    },
    close() {
      clearInterval(heartbeat);
      for (const connection of connections) connection.terminate();
      options.registry.close();
    },
  };
}

/**
 * Whether a request asks for a WebSocket at `/stream`. If so, its `Upgrade` header, which may offer
 * several protocols, is reduced to `websocket`.
 */
function isHandshake(request: IncomingMessage): boolean {
  const { method, headers } = request;
  const offers = (headers.upgrade ?? '').split(',').map((offer) => offer.trim().toLowerCase());
  const { url, host } = targetOf(request);
  if (method !== 'GET' || !offers.includes('websocket') || !isPath(url, streamPath)) return false;
  headers.upgrade = 'websocket';
  headers.host = host;
  return true;
}

function refuse(
  socket: Duplex,
  error: AppError,
  metrics: Metrics,
  logger: Logger,
  headers: Readonly<Record<string, string>> = {},
): void {
  const problem = problemOf(error, randomUUID());
  // 503 and not 429: the service is full; the client has not sent too many requests.
  if (error.code === 'overloaded') problem.status = 503;
  metrics.rejected.inc({ reason: error.code });
  const { requestId, status, code } = problem;
  const line = { requestId, route: streamPath, status, code };
  logger.info(status === 500 ? { ...line, err: error } : line, 'stream refused');
  answerOnSocket(socket, problem, { ...problemHeaders(problem), ...headers });
}
