import type { Socket } from 'node:net';
import { openResponses } from './open-responses';

/** What every answer begins with. */
const beginning = 'HTTP/1.1 ';
/**
 * When its bytes are sent, after the client's FIN: the second finds out what the first did to the
 * connection.
 */
const probeMs = [0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000];

/**
 * Tells a client that has only finished sending (RFC 9112, 9.6) from one that has hung up; both send
 * FIN, and nothing else. The first bytes of an answer are the same whatever it says, so they are sent
 * ahead, one now and then: who has hung up answers them with a reset, which ends the request as any
 * hang-up does, and who waits reads them as a part of its answer.
 */
export function watchHalfClose(socket: Socket): void {
  const watchNext = (): void => {
    const [res] = openResponses(socket);
    if (res === undefined || socket.writableEnded || socket.destroyed) return;
    res.once('close', watchNext);
    // An answer that is on its way finds out by itself.
    if (!res.headersSent) sendAhead(socket);
  };
  socket.once('end', watchNext);
}

function sendAhead(socket: Socket): void {
  const write = socket.write.bind(socket) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  let sent = 0;
  const timers = probeMs.map((ms) =>
    setTimeout(() => {
      write(beginning[sent]!, 'latin1');
      sent++;
    }, ms).unref(),
  );
  const stop = (): void => {
    timers.forEach(clearTimeout);
    socket.off('close', stop);
  };
  socket.once('close', stop);
  socket.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    stop();
    delete (socket as Partial<Socket>).write;
    return write(chunk.slice(sent), ...rest);
  };
}
