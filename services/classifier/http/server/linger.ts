import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * How long the rest of a request is still read after the last answer: in total, and since the last byte.
 */
const lingerMs = 30_000;
const idleMs = 5000;
/** `lingerMs` while the service is shutting down. */
const hurriedMs = 2000;
/** How many bytes are still read: the largest upload at the default settings, and a form around it. */
const lingerBytes = 32 * 2 ** 20;
const checkMs = 250;

const closing = new WeakSet<Duplex>();

/**
 * Tells whether the connection's last answer is being sent. Bytes that still arrive are then ignored.
 */
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
