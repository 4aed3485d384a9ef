import { parentPort } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { isMachineFault } from '../../errors/machine-fault';
import { receive } from '../../runtime/threads/thread-side';
import { createContainerDecoder } from './container-decoder';
import type { FromContainerThread, ToContainerThread } from './container-messages';
import type { Piece, StreamDecoder } from './stream-decoder';

/** The thread that decodes all streams in containers, one piece of one stream at a time. */

if (parentPort === null) throw new Error('container-worker is started by the container thread');
const port = parentPort;

interface Stream {
  readonly decoder: StreamDecoder;
  pieces: AsyncGenerator<Piece, void, undefined> | undefined;
  closed: boolean;
}

const streams = new Map<number, Stream>();

function stream(id: number): Stream {
  const known = streams.get(id) ?? { decoder: createContainerDecoder(), pieces: undefined, closed: false };
  streams.set(id, known);
  return known;
}

async function next(request: Exclude<ToContainerThread, { step: 'close' }>): Promise<Piece | undefined> {
  const current = stream(request.stream);
  if (request.step === 'push') current.pieces = current.decoder.push(request.bytes);
  if (request.step === 'finish') current.pieces = current.decoder.finish();
  const result = await current.pieces?.next();
  // The stream was closed while its decoder was loading; it is freed now.
  if (current.closed) current.decoder.close();
  return result?.done === false ? result.value : undefined;
}

async function answer(request: Exclude<ToContainerThread, { step: 'close' }>): Promise<void> {
  let reply: FromContainerThread;
  try {
    reply = { stream: request.stream, piece: await next(request) };
  } catch (caught) {
    const { code, message, cause } = toAppError(caught);
    const reason = cause instanceof Error ? cause.message : undefined;
    reply = { stream: request.stream, code, message, cause: reason };
  }
  const sound = 'piece' in reply ? reply.piece?.samples : undefined;
  port.postMessage(reply, sound === undefined ? [] : [sound.buffer as ArrayBuffer]);
}

/**
 * Attributes an error of the decoder, which is third-party code with untrusted input, to the stream,
 * unless the machine is at fault.
 */
function toAppError(caught: unknown): AppError {
  if (caught instanceof AppError || isMachineFault(caught)) return AppError.from(caught);
  const message = 'The stream is damaged: its decoder gave up.';
  return new AppError('undecodable-audio', message, { cause: caught });
}

function close({ stream: id }: ToContainerThread): void {
  const known = streams.get(id);
  streams.delete(id);
  if (known === undefined) return;
  known.closed = true;
  known.decoder.close();
}

receive((request: ToContainerThread) => {
  if (request.step === 'close') close(request);
  else void answer(request);
});
