import { parentPort } from 'node:worker_threads';
import { AppError } from '../../errors/app-error';
import { ownThreadId, lowerPriority } from '../../runtime/lower-priority';
import { isCancelled, receive } from '../../runtime/threads/thread-side';
import { decode } from '../decode';
import type { DecodeMessage, FromDecoderThread, ToDecoderThread } from './decoder-messages';

/** A thread of the decoder pool. It decodes one recording at a time, which can be cancelled. */

if (parentPort === null) throw new Error('decoder-worker is started by the decoder pool');
const port = parentPort;
lowerPriority('answers');
let current: AbortController | undefined;

async function answer({
  callId,
  bytes,
  sampleRate,
  maxSeconds,
  removeOffset,
  memory,
  options,
}: DecodeMessage): Promise<void> {
  const { signal } = (current = new AbortController());
  try {
    const onChild = (pid: number): void => {
      port.postMessage({ kind: 'child', pid } satisfies FromDecoderThread);
    };
    const called = { signal, onChild, isCancelled: () => isCancelled(callId) };
    const request = { sampleRate, maxSeconds, removeOffset, memory, ...called };
    const clip = await decode(bytes, request, options);
    const message: FromDecoderThread = { kind: 'clip', clip };
    port.postMessage(message, [clip.samples.buffer as ArrayBuffer]);
  } catch (error) {
    const { code, message, details, cause } = AppError.from(error);
    const reason = cause instanceof Error ? cause.message : undefined;
    const isReturned = code === 'cancelled' || code === 'clip-too-long';
    const returned = isReturned ? { bytes } : {};
    const reply: FromDecoderThread = { kind: 'error', code, message, details, cause: reason, ...returned };
    port.postMessage(reply, isReturned ? [bytes.buffer as ArrayBuffer] : []);
  } finally {
    current = undefined;
  }
}

receive(
  (message: ToDecoderThread) => {
    if (message.kind === 'cancel') current?.abort();
    else void answer(message);
  },
  () => {
    current?.abort();
  },
);
port.postMessage({ kind: 'started', threadId: ownThreadId() } satisfies FromDecoderThread);
