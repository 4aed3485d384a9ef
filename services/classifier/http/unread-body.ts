import type { IncomingMessage, ServerResponse } from 'node:http';

/** For how long the rest of a refused body may still come in. */
const lingerMs = 5000;

/** Whether a body was announced of which not everything has come yet. */
export function hasUnreadBody(req: IncomingMessage): boolean {
  const announced =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  return announced && !req.complete;
}

/**
 * Sends the whole answer now, then throws away what still comes in, up to a bound, before the connection closes.
 * Closing at once would reset the connection, and a client still busy sending would never see the answer.
 */
export function endUnread(req: IncomingMessage, res: ServerResponse, body: Buffer, maxBytes: number): void {
  res.setHeader('Connection', 'close');
  res.write(body);
  let bytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    req.off('data', count);
    res.end();
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
