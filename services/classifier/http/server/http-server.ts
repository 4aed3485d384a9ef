import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Problem } from '../../../../shared/contracts/problem';
import { EventLoopQueue } from '../../../../shared/batching/event-loop-queue';
import { AppError, type ErrorCode } from '../../../../shared/errors/app-error';
import { problemOf } from '../problem';
import { Connections, type ConnectionLimits } from './connections';
import { watchHalfClose } from './half-close';
import { closeBehindAnswer, isClosing } from './linger';
import { noteResponse, openResponses } from './open-responses';
import { answerOnSocket } from './raw-answer';
import { isPath, targetOf } from './request-target';
import { settleBody } from '../body/unread-body';

/** Patience with slow clients: a few that drip bytes must not use up the connections. */
const timeouts = {
  /** The head of a request must be complete. */
  headersTimeout: 10_000,
  /** A whole dataset must have arrived within this time: 2 GiB need 4.8 Mbit/s. */
  requestTimeout: 3_600_000,
  /**
   * How long an idle connection is kept; longer than load balancers' usual 60 s, so that they close
   * first.
   */
  keepAliveTimeout: 65_000,
  /** How often Node looks for the overdue. */
  connectionsCheckingInterval: 5000,
};

/** Any other request must have arrived within this time: 25 MiB need 1.75 Mbit/s. */
const arrivalMs = 120_000;

/**
 * Requests of one connection that wait for those before them; a client that sends more ahead is cut off.
 */
const maxPipelined = 128;

/** Headers of a request at most, with its first line. */
const maxHeadBytes = 16 * 1024;

/** An HTTP server that is not listening yet. */
export function createHttpServer(
  app: RequestListener,
  limits: ConnectionLimits,
  timeoutMs = arrivalMs,
): Server {
  const connections = new Connections(limits);
  const pipelined = new EventLoopQueue();
  const listener: RequestListener = (req, res) => {
    // The client was told that the connection closes: requests that it sends after that are ignored.
    if (isClosing(req.socket)) return;
    const { socket } = req;
    ownErrors(req, res);
    connections.busy(socket);
    const ahead = openResponses(socket);
    if (ahead.length > maxPipelined) {
      socket.destroy();
      return;
    }
    noteResponse(socket, res);
    settleBody(req, res);
    res.once('close', () => {
      if (openResponses(socket).length === 0) connections.awaitRequest(socket);
    });
    const { url, host } = targetOf(req);
    req.url = url;
    req.headers.host = host;
    if (!isDatasetUpload(req)) boundArrival(req, res, timeoutMs);
    // A read of 64 KiB can hold thousands of requests: a few milliseconds of them have a turn of the
    // event loop.
    const last = ahead.at(-1);
    if (last === undefined) app(req, res);
    else {
      last.once('close', () => {
        const answer = (): void => {
          answerInTurn(app, req, res);
        };
        pipelined.run(socket.remoteAddress ?? '', answer).catch(() => socket.destroy());
      });
    }
  };
  // A request without Host is refused by the app, in words.
  const server = createServer(
    { ...timeouts, maxHeaderSize: maxHeadBytes, requireHostHeader: false },
    listener,
  );
  // The head's size bounds them; behind Node's own bound of 1000 they would be dropped without a word.
  server.maxHeadersCount = 0;
  // A client that sends FIN behind its request may wait for the answer. Node's types do not know the
  // property.
  Object.assign(server, { httpAllowHalfOpen: true });
  const known = new WeakSet<Socket>();
  server.on('connection', (socket) => {
    // One whose upgrade was ignored comes a second time.
    if (known.has(socket)) return;
    known.add(socket);
    if (!connections.accept(socket)) return;
    // What Node calls on a connection when its last answer is written.
    socket.destroySoon = () => {
      closeBehindAnswer(socket, () => !server.listening);
    };
    watchHalfClose(socket);
  });
  server.on('checkContinue', (req, res) => {
    continueWhenRead(req, res);
    listener(req, res);
  });
  // Other expectations are none that a client could have of us (RFC 9110, 10.1.1): the request is
  // answered without.
  server.on('checkExpectation', listener);
  server.on('connect', (_req, socket) => {
    answerOnSocket(socket, problem('method-not-allowed', 'This is no proxy: CONNECT does nothing here.'));
  });
  server.on('upgrade', ({ socket }: IncomingMessage) => {
    connections.busy(socket);
  });
  server.on('timeout', (socket: Socket) => {
    connections.onTimeout(socket);
  });
  server.on('clientError', answerClientError);
  return server;
}

function answerInTurn(app: RequestListener, req: IncomingMessage, res: ServerResponse): void {
  if (!req.socket.destroyed && !isClosing(req.socket)) app(req, res);
}

/**
 * Nothing that goes wrong with one connection may end the process; the app learns of it when the
 * response closes.
 */
function ownErrors(req: IncomingMessage, res: ServerResponse): void {
  req.on('error', () => undefined);
  res.on('error', () => undefined);
}

/**
 * A client that asked first is told to go on when its body is about to be read, so when it is sure to be
 * heard.
 */
function continueWhenRead(req: IncomingMessage, res: ServerResponse): void {
  req.once('resume', () => {
    if (!res.headersSent) res.writeContinue();
  });
}

function isDatasetUpload({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && isPath(url ?? '', '/datasets');
}

/** Node has one bound for all requests of a server. */
function boundArrival(req: IncomingMessage, res: ServerResponse, timeoutMs: number): void {
  const timer = setTimeout(() => {
    if (req.complete) return;
    if (res.headersSent) req.socket.destroy();
    else answerOnSocket(req.socket, overdue());
  }, timeoutMs).unref();
  const arrived = (): void => {
    clearTimeout(timer);
  };
  req.once('end', arrived);
  req.once('close', arrived);
  res.once('close', arrived);
}

function overdue(): Problem {
  return problem('request-timeout', 'The request took too long to arrive.');
}

function problem(code: ErrorCode, message: string): Problem {
  return problemOf(new AppError(code, message), randomUUID());
}

/**
 * Bytes that are no HTTP, or a request that takes too long, never reach the app: answered on the bare
 * socket.
 */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (isClosing(socket)) return;
  const [current] = openResponses(socket);
  // Nobody waits for an answer on a connection that was opened ahead and never used; nor is there room
  // for one in another.
  const unasked = socket.bytesRead === 0 || current?.headersSent === true;
  if (error.code === 'ECONNRESET' || !socket.writable || unasked) socket.destroy();
  else answerOnSocket(socket, refusalOf(error));
}

function refusalOf({ code }: NodeJS.ErrnoException): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return overdue();
  if (code === 'HPE_HEADER_OVERFLOW') {
    const limit = `${maxHeadBytes / 1024} KiB`;
    const message = `The address and the headers together are larger than ${limit}: send fewer, or shorter cookies.`;
    return problem('headers-too-large', message);
  }
  if (code === 'HPE_INVALID_EOF_STATE') {
    return problem('malformed-request', 'The request breaks off before its end.');
  }
  return problem('malformed-request', 'This is not a well-formed HTTP/1.1 request.');
}
