import type { IncomingMessage, ServerResponse } from 'node:http';

/** For how long the rest of a refused body may still come in. */
const lingerMs = 5000;

/** Whether a body was announced of which not everything has come yet. */
export function hasUnreadBody(req: IncomingMessage): boolean {
  const announced =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  return announced && !req.complete;
}

/** What is announced to be no longer than this is read to its end: that is cheaper, for both sides, than a new connection. */
const smallBytes = 1 << 20;

/** Whether the rest is sure to come and short, so that the connection can serve the client's next request. */
function isSmall({ headers }: IncomingMessage): boolean {
  return headers.expect === undefined && Number(headers['content-length'] ?? Infinity) <= smallBytes;
}

/**
 * Sends the whole answer now, then throws away what still comes in, up to a bound, before the connection closes; after a small
 * body it stays open. Closing at once would reset the connection, and a client still busy sending would never see the answer.
 */
export function endUnread(req: IncomingMessage, res: ServerResponse, body: Buffer, maxBytes: number): void {
  if (!isSmall(req)) res.setHeader('Connection', 'close');
  res.write(body);
  let bytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    req.off('data', count);
    // What did not come in time would be taken for the next request.
    res.end(() => {
      if (!req.complete) req.destroy();
    });
  };
  const count = (chunk: Buffer): void => {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) end();
  };
  const timer = setTimeout(end, lingerMs);
  req.on('data', count);
  req.once('end', end);
  req.once('close', end);
  req.resume();
}
