import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { KernelsChoice } from '../engine/kernels-addon';
import { AppError, type ErrorCode } from '../errors/app-error';
import { assertFewHang, Thread } from '../threads/thread';
import type { Clip, ClipDecoder, DecodeRequest } from './clip';
import type { FfmpegOptions } from './ffmpeg';
import type { FromDecoderThread, ToDecoderThread } from './decoder-messages';

export interface DecoderPoolOptions extends FfmpegOptions {
  /** Recordings decoded at the same time. */
  readonly threads: number;
  /** A recording that takes longer is given up. */
  readonly timeLimitMs?: number;
  /** The native kernels, asked for at every recording: a service learns of them while it starts. */
  readonly kernels?: () => KernelsChoice | undefined;
}

/** Decoding threads of a service: a core is left to the engine, and more than four are never kept busy. */
export function defaultDecodeThreads(): number {
  return Math.min(4, Math.max(1, availableParallelism() - 1));
}

interface Job {
  readonly bytes: Uint8Array;
  readonly request: Omit<DecodeRequest, 'memory'>;
  readonly settle: (result: Clip | AppError) => void;
}

interface DecoderThread {
  readonly thread: Thread;
  job: Job | undefined;
  /** Of its recordings so far. */
  pieces: number;
  timer: NodeJS.Timeout | undefined;
}

/** Longer than ffmpeg is given, so that a slow ffmpeg is ended by its own thread, which also clears up after it. */
const defaultTimeLimitMs = 45_000;
/** A thread sees within a frame that its recording was called off; ending ffmpeg and removing its file take longer. One that takes longer still hangs. */
const patienceMs = 5_000;
/** Memory that is kept for the next clips, rather than left to be collected as garbage: of usual ones, and a few of them. */
const spareBytes = 4 << 20;
const maxSpare = 8;
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

/** With these a thread says that the machine was at fault. */
const machineCodes: readonly ErrorCode[] = ['internal', 'storage-full'];

const cancelled = (): AppError => new AppError('cancelled', 'Decoding was called off.');

/**
 * Decodes on threads of its own. Threads start when a job finds none idle, so that a program that decodes nothing (a run whose
 * clips are all cached) pays nothing, and stay; a service starts its first by decoding a clip before it reports ready. Jobs
 * wait in order of arrival, as many as callers send: whoever faces the outside bounds what it has in flight.
 * The caller keeps its bytes, and a copy goes to the thread, unless they are to be consumed. A job that is called off is dropped from the queue; when
 * already running it stops within a frame. A thread that dies, or a recording that overruns the time limit, fails with
 * undecodable-audio where that is the recording's doing, else with internal. A dead thread is replaced.
 * @throws RangeError for fewer than one thread
 */
export function createDecoderPool({
  threads,
  timeLimitMs = defaultTimeLimitMs,
  kernels = () => undefined,
  ...options
}: DecoderPoolOptions): ClipDecoder {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(`expected at least one decoder thread, got ${threads}`);
  }
  const waiting: Job[] = [];
  const spare: ArrayBuffer[] = [];
  const alive = new Set<DecoderThread>();
  let closing: Promise<void> | undefined;

  function startThread(): DecoderThread {
    // The decoders print their troubles; what matters of them comes back as errors.
    const file = join(__dirname, 'decoder-worker.js');
    const started = new Thread(file, undefined, { resourceLimits, stdout: true, stderr: true });
    const { worker } = started;
    worker.stdout.resume();
    worker.stderr.resume();
    const thread: DecoderThread = { thread: started, job: undefined, pieces: 0, timer: undefined };
    alive.add(thread);
    worker.on('message', (message: FromDecoderThread) => {
      if (!alive.has(thread)) return;
      const result = message.kind === 'clip' ? message.clip : toAppError(message);
      // A WebAssembly module that could not be had once is remembered as missing for as long as its thread lives.
      if (result instanceof AppError && machineCodes.includes(result.code)) replace(thread, result);
      else {
        finish(thread, result);
        next(thread);
      }
    });
    worker.on('error', (error) => {
      retire(thread, error);
    });
    worker.on('exit', () => {
      retire(thread, undefined);
    });
    return thread;
  }

  function finish(thread: DecoderThread, result: Clip | AppError): void {
    clearTimeout(thread.timer);
    const { job } = thread;
    thread.job = undefined;
    thread.thread.worker.unref();
    job?.settle(result);
  }

  function retire(thread: DecoderThread, cause: unknown): void {
    if (!alive.delete(thread)) return;
    finish(thread, isMemoryUsedUp(cause) ? broughtDown(cause) : AppError.from(cause));
    if (closing === undefined) dispatch();
  }

  function replace(thread: DecoderThread, result: AppError, waitMs?: number): void {
    alive.delete(thread);
    finish(thread, result);
    void thread.thread.end(waitMs);
    if (closing === undefined) dispatch();
  }

  function next(thread: DecoderThread): void {
    const job = waiting.shift();
    if (job !== undefined) run(thread, job);
  }

  function run(thread: DecoderThread, job: Job): void {
    thread.job = job;
    thread.thread.worker.ref();
    thread.timer = setTimeout(() => {
      const message = `Decoding took more than ${timeLimitMs / 1000} s and was stopped.`;
      job.settle(new AppError('undecodable-audio', message));
      callOff(thread);
    }, timeLimitMs);
    const { sampleRate, maxSeconds, consume } = job.request;
    const bytes = consume === true ? movable(job.bytes) : new Uint8Array(job.bytes);
    const memory = spare.pop();
    const settings = { ...options, kernels: kernels() };
    const message: ToDecoderThread = {
      kind: 'decode',
      piece: ++thread.pieces,
      bytes,
      sampleRate,
      maxSeconds,
      memory,
      options: settings,
    };
    thread.thread.worker.postMessage(message, memory === undefined ? [bytes.buffer] : [bytes.buffer, memory]);
  }

  function dispatch(): void {
    while (waiting.length > 0) {
      const idle = [...alive].find(({ job }) => job === undefined);
      if (idle === undefined && alive.size >= threads) return;
      try {
        if (idle === undefined) assertFewHang();
        next(idle ?? startThread());
      } catch (error) {
        waiting.shift()?.settle(AppError.from(error));
      }
    }
  }

  function cancel(job: Job): void {
    const index = waiting.indexOf(job);
    if (index >= 0) waiting.splice(index, 1);
    const thread = [...alive].find((candidate) => candidate.job === job);
    if (thread !== undefined) callOff(thread);
    job.settle(cancelled());
  }

  /** The thread is free again when it answers; one that does not in time is set aside. */
  function callOff(thread: DecoderThread): void {
    thread.thread.callOff(thread.pieces);
    thread.thread.worker.postMessage({ kind: 'cancel' } satisfies ToDecoderThread);
    clearTimeout(thread.timer);
    thread.timer = setTimeout(() => {
      replace(thread, cancelled(), 0);
    }, patienceMs);
  }

  async function closeAll(): Promise<void> {
    for (const job of waiting.splice(0)) job.settle(cancelled());
    await Promise.all(
      [...alive].map(async ({ job, thread }) => {
        job?.settle(cancelled());
        await thread.end(patienceMs);
      }),
    );
  }

  return {
    decode(bytes, request) {
      const { signal } = request;
      if (closing !== undefined || signal?.aborted === true) return Promise.reject(cancelled());
      return new Promise<Clip>((resolve, reject) => {
        const onAbort = (): void => {
          cancel(job);
        };
        const job: Job = {
          bytes,
          request,
          settle(result) {
            signal?.removeEventListener('abort', onAbort);
            if (result instanceof AppError) reject(result);
            else resolve(result);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        waiting.push(job);
        dispatch();
      });
    },
    takeBack({ samples: { buffer } }) {
      const isWorthIt = buffer instanceof ArrayBuffer && buffer.byteLength <= spareBytes;
      if (isWorthIt && spare.length < maxSpare) spare.push(buffer);
    },
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

/** The bytes where they have a buffer to themselves, a copy elsewhere: Node keeps small buffers of many owners in one. */
function movable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength;
  return isWhole ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

function toAppError({ code, message, details, cause }: FromDecoderThread & { kind: 'error' }): AppError {
  return new AppError(code, message, { details, cause: cause === undefined ? undefined : new Error(cause) });
}

/** Its own memory, which is bounded: what another recording needs, or the machine has, does not matter. */
function isMemoryUsedUp(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function broughtDown(cause: unknown): AppError {
  const message = 'The recording brought its decoder down; it is damaged or beyond what is taken here.';
  return new AppError('undecodable-audio', message, { cause });
}
