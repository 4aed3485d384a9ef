import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { afterResponses } from './open-responses';

/**
 * Goes on with a request as if it had not asked for an upgrade (RFC 9110, 7.8). Node gives every request
 * with an Upgrade away once anybody listens for upgrades, and what it has not read yet with it; so the
 * request's head, without its Upgrade, is put back in front of that, and the connection is handed to the
 * server anew. Pipelined requests and bodies stay in order.
 */
export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Socket, rest: Buffer): void {
  socket.pause();
  afterResponses(socket, () => {
    // Node's timer for idle connections, if an earlier answer has started it, would not be stopped by
    // what comes now.
    socket.setTimeout(0);
    socket.unshift(Buffer.concat([headOf(request), rest]));
    server.emit('connection', socket);
    socket.resume();
  });
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let k = 0; k < rawHeaders.length; k += 2) {
    const name = rawHeaders[k]!;
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${rawHeaders[k + 1]!}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
