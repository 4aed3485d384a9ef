import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Problem } from '../../shared/contracts/problem';
import { AppError } from '../../shared/errors/app-error';
import { problemOf } from './http/error-middleware';
import { answerOnSocket } from './http/raw-answer';

/** Patience with slow clients: a few that drip bytes must not use up the connections. */
const timeouts = {
  /** The head of a request must be complete. */
  headersTimeout: 10_000,
  /** A whole dataset must have come: 2 GiB at 4.8 Mbit/s. */
  requestTimeout: 3_600_000,
  /** How long an idle connection is kept; longer than load balancers' usual 60 s, so that they close first. */
  keepAliveTimeout: 65_000,
  /** How often Node looks for the overdue. */
  connectionsCheckingInterval: 5000,
};

/** Any other request must have come: 25 MiB at 1.75 Mbit/s. */
const arrivalMs = 120_000;

const maxConnections = 2048;

/** An HTTP server that is not listening yet. */
export function createHttpServer(app: RequestListener, patienceMs = arrivalMs): Server {
  const listener: RequestListener = (req, res) => {
    if (!isDatasetUpload(req)) boundArrival(req, res, patienceMs);
    app(req, res);
  };
  const server = createServer(timeouts, listener);
  server.maxConnections = maxConnections;
  // Express reads the body when it has decided to; only then is `100 Continue` said (http/upload.ts).
  server.on('checkContinue', listener);
  server.on('clientError', answerClientError);
  return server;
}

/** As Express takes it: with or without a slash at its end, in any case, the host in front or not (RFC 9112, 3.2.2). */
const datasetUploadTarget = /^(https?:\/\/[^/?#]*)?\/datasets\/?(\?|$)/i;

function isDatasetUpload({ method, url }: IncomingMessage): boolean {
  return method === 'POST' && datasetUploadTarget.test(url ?? '');
}

/** Node has one bound for all requests of a server. */
function boundArrival(req: IncomingMessage, res: ServerResponse, patienceMs: number): void {
  const timer = setTimeout(() => {
    if (req.complete) return;
    if (res.headersSent) req.socket.destroy();
    else answerOnSocket(req.socket, overdue());
  }, patienceMs).unref();
  const arrived = (): void => {
    clearTimeout(timer);
  };
  req.once('end', arrived);
  req.once('close', arrived);
  res.once('close', arrived);
}

function overdue(): Problem {
  return problemOf(new AppError('request-timeout', 'The request took too long to arrive.'), randomUUID());
}

/** Bytes that are no HTTP, or a request that takes too long, never reach the app: answered on the bare socket. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const malformed = new AppError('malformed-request', 'This is not a well-formed HTTP/1.1 request.');
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  answerOnSocket(socket, late ? overdue() : problemOf(malformed, randomUUID()));
}
