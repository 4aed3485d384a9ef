import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

const responses = new WeakMap<Duplex, Set<ServerResponse>>();

/**
 * Remembers a response until it is over. Of a connection there are several when requests are pipelined.
 */
export function noteResponse(socket: Duplex, res: ServerResponse): void {
  const open = responses.get(socket) ?? watch(socket);
  open.add(res);
  res.once('close', () => open.delete(res));
}

function watch(socket: Duplex): Set<ServerResponse> {
  const open = new Set<ServerResponse>();
  responses.set(socket, open);
  // Node closes the response that is being sent; those behind it, of pipelined requests, would never
  // hear of the end.
  socket.once('close', () => {
    setImmediate(() => {
      for (const res of open) res.destroy().emit('close');
    });
  });
  return open;
}

/** The responses of a connection that are not over, in the order of their requests. */
export function openResponses(socket: Duplex): ServerResponse[] {
  return [...(responses.get(socket) ?? [])];
}

/**
 * Calls `next` when all answers that a connection owes so far have been sent, if it is still open then.
 */
export function afterResponses(socket: Duplex, next: () => void): void {
  const last = openResponses(socket).at(-1);
  if (last === undefined) {
    next();
    return;
  }
  last.once('close', () => {
    if (!socket.destroyed && !socket.writableEnded) next();
  });
}
