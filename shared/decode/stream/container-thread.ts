import { join } from 'node:path';
import { deferred, type Deferred } from '../../runtime/deferred';
import { AppError } from '../../errors/app-error';
import { Thread } from '../../runtime/threads/thread';
import type { ContainerFailure, FromContainerThread, ToContainerThread } from './container-messages';
import type { Piece, StreamDecoder } from './stream-decoder';

/**
 * Decodes all streams in containers on one thread, so that untrusted bytes and WebAssembly stay off the
 * calling thread.
 */
export interface ContainerThread {
  open(): StreamDecoder;
  close(): Promise<void>;
}

const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

/**
 * Starts the thread with the first stream. If the thread dies, all its streams fail with internal,
 * because the cause cannot be attributed to one, and the next stream starts a new thread.
 */
export function createContainerThread(): ContainerThread {
  let thread: Thread | undefined;
  let closed = false;
  let nextStream = 0;
  const waiting = new Map<number, Deferred<Piece | undefined>>();

  function settle(reply: FromContainerThread): void {
    const caller = waiting.get(reply.stream);
    waiting.delete(reply.stream);
    if ('code' in reply) caller?.reject(toAppError(reply));
    else caller?.resolve(reply.piece);
  }

  function lose(lost: Thread, cause: unknown): void {
    if (thread !== lost) return;
    thread = undefined;
    const error = AppError.from(cause ?? new Error('The thread that decodes streams ended.'));
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  }

  function startThread(): Thread {
    // libopus prints messages; what matters of them comes back as errors.
    const options = { resourceLimits, stdout: true, stderr: true };
    const started = new Thread(join(__dirname, 'container-worker.js'), undefined, options);
    const { worker } = started;
    worker.stdout.resume();
    worker.stderr.resume();
    // The thread does not keep the process alive; the sockets of the streams do.
    worker.unref();
    worker.on('message', settle);
    worker.on('error', (error) => {
      lose(started, error);
    });
    worker.on('exit', () => {
      lose(started, undefined);
    });
    return started;
  }

  function ask(request: Exclude<ToContainerThread, { step: 'close' }>): Promise<Piece | undefined> {
    if (closed) return Promise.reject(new AppError('draining', 'The service is shutting down.'));
    thread ??= startThread();
    const answer = deferred<Piece | undefined>();
    waiting.set(request.stream, answer);
    thread.worker.postMessage(request);
    return answer.promise;
  }

  async function* pieces(
    first: Exclude<ToContainerThread, { step: 'close' }>,
  ): AsyncGenerator<Piece, void, undefined> {
    let piece = await ask(first);
    while (piece !== undefined) {
      yield piece;
      piece = await ask({ step: 'next', stream: first.stream });
    }
  }

  return {
    open() {
      const stream = nextStream++;
      return {
        push: (bytes) => pieces({ step: 'push', stream, bytes }),
        finish: () => pieces({ step: 'finish', stream }),
        close: () => {
          thread?.worker.postMessage({ step: 'close', stream } satisfies ToContainerThread);
        },
      };
    },
    async close() {
      closed = true;
      await thread?.end();
    },
  };
}

function toAppError({ code, message, cause }: ContainerFailure): AppError {
  return new AppError(code, message, { cause: cause === undefined ? undefined : new Error(cause) });
}
