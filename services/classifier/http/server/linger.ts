import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * For how long in all, and for how long without a byte, the rest of what a client sends is still taken
 * in.
 */
const lingerMs = 30_000;
const idleMs = 5000;
/** The same when the service is shutting down. */
const hurriedMs = 2000;
/** How much of it: the largest upload at the default settings, and a form around it. */
const lingerBytes = 32 * 2 ** 20;
const checkMs = 250;

const closing = new WeakSet<Duplex>();

/** Whether the connection's last answer is under way: what still comes in is no request any more. */
export function isClosing(socket: Duplex): boolean {
  return closing.has(socket);
}

/**
 * Closes a connection whose last answer has been handed to it (RFC 9112, 9.6): sends FIN behind the
 * answer, then throws away what the client still sends, within bounds. Closing at once would reset the
 * connection, and a client that is still sending would never see its answer.
 * @param isHurried whether the service is shutting down
 */
export function closeBehindAnswer(socket: Socket, isHurried: () => boolean): void {
  if (closing.has(socket)) return;
  closing.add(socket);
  socket.on('error', () => undefined);
  socket.end();
  socket.resume();
  const startBytes = socket.bytesRead;
  let heardBytes = startBytes;
  let elapsedMs = 0;
  let silentMs = 0;
  const timer = setInterval(() => {
    elapsedMs += checkMs;
    silentMs = socket.bytesRead > heardBytes ? 0 : silentMs + checkMs;
    heardBytes = socket.bytesRead;
    const tooMuch = heardBytes - startBytes > lingerBytes;
    const tooLong = elapsedMs >= (isHurried() ? hurriedMs : lingerMs) || silentMs >= idleMs;
    if (tooMuch || tooLong) socket.destroy();
  }, checkMs).unref();
  socket.once('close', () => {
    clearInterval(timer);
  });
}
