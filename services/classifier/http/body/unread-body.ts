import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * What is announced to be no longer than this is read to its end: that is cheaper, for both sides, than
 * a new connection.
 */
const smallBytes = 1 << 20;
/** For how long the rest of a small body may still come in. */
const restMs = 5000;

/** Whether a request announces a body: a method alone says nothing of that. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Whether the rest is sure to come and short, so that the connection can serve the client's next
 * request.
 */
function isSmall({ headers }: IncomingMessage): boolean {
  return headers.expect === undefined && Number(headers['content-length'] ?? Infinity) <= smallBytes;
}

/**
 * Sees to the body of a request that is answered before its body was read, whoever answers and whatever:
 * a small one is thrown away as it comes, and the connection serves the next request; with any other the
 * answer says `Connection: close`, and what still comes in is thrown away behind it (linger.ts).
 */
export function settleBody(req: IncomingMessage, res: ServerResponse): void {
  const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse;
  res.writeHead = (...args: unknown[]) => {
    if (hasBody(req) && !req.complete && !isSmall(req)) res.setHeader('Connection', 'close');
    return writeHead(...args);
  };
  res.once('finish', () => {
    if (!req.complete) discard(req);
  });
}

function discard(req: IncomingMessage): void {
  req.unpipe();
  req.removeAllListeners('data');
  req.resume();
  const { socket } = req;
  const timer = setTimeout(() => {
    // What is left would be taken for the next request. A connection that closes has bounds of its own.
    if (!req.complete && !socket.writableEnded) socket.destroy();
  }, restMs).unref();
  const done = (): void => {
    clearTimeout(timer);
  };
  req.once('end', done);
  req.once('close', done);
}
