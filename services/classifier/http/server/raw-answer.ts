import { STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Problem } from '../../../../shared/contracts/problem';

/** Answers with a problem document on a bare socket, where no response object is, and closes it. */
export function answerOnSocket(
  socket: Duplex,
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
  ];
  // `end` with a text would go past a write that half-close.ts has put in place.
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  if (socket instanceof Socket) socket.destroySoon();
  else socket.end();
}
