import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../shared/errors/app-error';
import { problemOf } from './http/error-middleware';
import { answerOnSocket } from './http/raw-answer';

/** Patience with slow clients: a few that drip bytes must not use up the connections. */
const timeouts = {
  /** The head of a request must be complete. */
  headersTimeout: 10_000,
  /** A whole request must have come: 25 MiB at 1.75 Mbit/s. */
  requestTimeout: 120_000,
  /** How long an idle connection is kept; longer than load balancers' usual 60 s, so that they close first. */
  keepAliveTimeout: 65_000,
  /** How often Node looks for the overdue. */
  connectionsCheckingInterval: 5000,
};

const maxConnections = 2048;

/** An HTTP server that is not listening yet. */
export function createHttpServer(app: RequestListener): Server {
  const server = createServer(timeouts, app);
  server.maxConnections = maxConnections;
  // Express reads the body when it has decided to; only then is `100 Continue` said (http/upload.ts).
  server.on('checkContinue', app);
  server.on('clientError', answerClientError);
  return server;
}

/** Bytes that are no HTTP, or a request that takes too long, never reach the app: answered on the bare socket. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const overdue = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const problem = problemOf(
    overdue
      ? new AppError('request-timeout', 'The request took too long to arrive.')
      : new AppError('malformed-request', 'This is not a well-formed HTTP/1.1 request.'),
    randomUUID(),
  );
  answerOnSocket(socket, problem);
}
