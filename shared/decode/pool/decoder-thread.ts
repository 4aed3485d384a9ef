import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import { processCpuMs, threadCpuMs } from '../../runtime/cpu-time';
import { lowerThreadPriority } from '../../runtime/lower-priority';
import { Thread } from '../../runtime/threads/thread';
import type { Clip, DecodeRequest } from '../../signal/clip';
import type { DecodeOptions } from '../decode';
import type { DecoderReply, FromDecoderThread, ToDecoderThread } from './decoder-messages';
import type { QueueEntry } from './decoding-queue';

export interface PoolRequest extends Omit<DecodeRequest, 'memory' | 'onChild' | 'isCancelled'> {
  /**
   * Called once, when no thread holds anything of the recording any more; where its caller called it off
   * that is later than the answer.
   * @param bytes the recording, where it was cancelled or is too long
   */
  readonly onEnd?: (bytes: Uint8Array | undefined) => void;
}

/** A recording and its caller. */
export interface DecodingJob extends QueueEntry {
  /** Transferred to the thread, and back when the job is cancelled. */
  bytes: Uint8Array;
  readonly request: PoolRequest;
  /** Answers the caller; further calls do nothing. */
  readonly settle: (result: Clip | AppError) => void;
  isSettled: boolean;
}

export interface DecoderThreadEvents {
  /** The thread has replied and is free. */
  readonly onReply: (thread: DecoderThread, job: DecodingJob, reply: DecoderReply) => void;
  /** The thread has died, or hangs and was set aside; `job` is the one that it had. */
  readonly onLost: (thread: DecoderThread, job: DecodingJob | undefined, cause: unknown) => void;
}

/** Longer than the time limit of ffmpeg, so that the thread itself ends a slow ffmpeg and cleans up. */
export const defaultTimeLimitMs = 45_000;
/**
 * A thread notices a cancellation within a frame; ending ffmpeg and removing its file take longer. A
 * thread that exceeds this hangs.
 */
const cancelTimeoutMs = 5_000;
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

/** A thread that decodes one recording at a time. */
export class DecoderThread {
  readonly #thread: Thread;
  readonly #events: DecoderThreadEvents;
  readonly #timeLimitMs: number;
  #hasStarted = false;
  #id: number | undefined;
  #job: DecodingJob | undefined;
  #isLost = false;
  #hasLowPriority = false;
  /** Number of its recordings so far, as the id of the latest call. */
  #lastCallId = 0;
  #isCancelling = false;
  #startedMs = Infinity;
  /** CPU time that the thread had used before its recording. */
  #usedBeforeMs = 0;
  /** The process that decodes its recording. */
  #childId: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(events: DecoderThreadEvents, timeLimitMs: number) {
    this.#events = events;
    this.#timeLimitMs = timeLimitMs;
    // The decoders print messages; what matters of them comes back as errors.
    const options = { resourceLimits, stdout: true, stderr: true };
    this.#thread = new Thread(join(__dirname, 'decoder-worker.js'), undefined, options);
    const { worker } = this.#thread;
    worker.stdout.resume();
    worker.stderr.resume();
    worker.on('message', (message: FromDecoderThread) => {
      this.#take(message);
    });
    worker.on('error', (error) => {
      this.#lose(error);
    });
    worker.on('exit', () => {
      this.#lose(undefined);
    });
  }

  get job(): DecodingJob | undefined {
    return this.#job;
  }

  /** Time since it began its recording, in milliseconds, without its own start. */
  get workedMs(): number {
    return Math.max(0, performance.now() - this.#startedMs);
  }

  /**
   * CPU time that its recording has used, in milliseconds, including that of its child process. Where
   * the system does not tell, the elapsed time.
   */
  get usedMs(): number {
    const ownMs = this.#cpuMs();
    if (ownMs === undefined) return this.workedMs;
    const childMs = this.#childId === undefined ? 0 : (processCpuMs(this.#childId) ?? 0);
    return ownMs - this.#usedBeforeMs + childMs;
  }

  /** @param memory a buffer for the clip, used if it is large enough */
  run(job: DecodingJob, memory: ArrayBuffer | undefined, options: DecodeOptions): void {
    this.#job = job;
    this.#isCancelling = false;
    this.#startedMs = this.#hasStarted ? performance.now() : Infinity;
    this.#usedBeforeMs = this.#cpuMs() ?? 0;
    const { worker } = this.#thread;
    worker.ref();
    this.#timer = setTimeout(() => {
      const message = `Decoding took more than ${this.#timeLimitMs / 1000} s and was stopped.`;
      job.settle(new AppError('undecodable-audio', message));
      this.cancel();
    }, this.#timeLimitMs);
    const { sampleRate, maxSeconds, removeOffset, consume } = job.request;
    const bytes = consume === true ? withOwnBuffer(job.bytes) : new Uint8Array(job.bytes);
    const message: ToDecoderThread = {
      kind: 'decode',
      callId: ++this.#lastCallId,
      bytes,
      sampleRate,
      maxSeconds,
      removeOffset,
      memory,
      options,
    };
    worker.postMessage(message, memory === undefined ? [bytes.buffer] : [bytes.buffer, memory]);
  }

  /** Cancels the recording. A thread that does not reply in time is lost. */
  cancel(): void {
    if (this.#job === undefined || this.#isCancelling) return;
    this.#isCancelling = true;
    this.#thread.cancelUpTo(this.#lastCallId);
    this.#thread.worker.postMessage({ kind: 'cancel' } satisfies ToDecoderThread);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#lose(new Error('It does not end.'));
      void this.#thread.end(0);
    }, cancelTimeoutMs);
  }

  /** Lowers the priority of the thread for good; an unprivileged thread cannot raise it again. */
  lowerPriority(): void {
    this.#hasLowPriority = true;
    // A process that was started before has the thread's old priority.
    for (const id of [this.#id, this.#childId]) if (id !== undefined) lowerThreadPriority(id, 'others');
  }

  async end(): Promise<void> {
    this.#isLost = true;
    clearTimeout(this.#timer);
    await this.#thread.end(cancelTimeoutMs);
  }

  #take(message: FromDecoderThread): void {
    if (message.kind === 'started') {
      this.#hasStarted = true;
      this.#id = message.threadId;
      this.#startedMs = performance.now();
      this.#usedBeforeMs = this.#cpuMs() ?? 0;
      if (this.#hasLowPriority) this.lowerPriority();
      return;
    }
    if (message.kind === 'child') {
      this.#childId = message.pid;
      if (this.#hasLowPriority) this.lowerPriority();
      return;
    }
    const job = this.#free();
    if (job !== undefined && !this.#isLost) this.#events.onReply(this, job, message);
  }

  #cpuMs(): number | undefined {
    return this.#id === undefined ? undefined : threadCpuMs(this.#id);
  }

  #lose(cause: unknown): void {
    const job = this.#free();
    if (this.#isLost) return;
    this.#isLost = true;
    this.#events.onLost(this, job, cause);
  }

  #free(): DecodingJob | undefined {
    clearTimeout(this.#timer);
    const job = this.#job;
    this.#job = undefined;
    this.#childId = undefined;
    this.#thread.worker.unref();
    return job;
  }
}

/**
 * Returns the bytes if they own their buffer, and a copy otherwise: Node keeps small buffers of several
 * owners in one.
 */
function withOwnBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength;
  return isWhole ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
