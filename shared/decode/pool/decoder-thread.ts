import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import { processCpuMs, threadCpuMs } from '../../runtime/cpu-time';
import { lowerThreadPriority } from '../../runtime/lower-priority';
import { Thread } from '../../runtime/threads/thread';
import type { Clip, DecodeRequest } from '../../signal/clip';
import type { DecodeOptions } from '../decode';
import type { DecoderReply, FromDecoderThread, ToDecoderThread } from './decoder-messages';
import type { Waiting } from './decoding-queue';

/** A recording and who waits for it. */
export interface DecodingJob extends Waiting {
  /** With whoever decodes, and back from there when it is called off. */
  bytes: Uint8Array;
  readonly request: Omit<DecodeRequest, 'memory' | 'onChild' | 'isCalledOff'>;
  /** Answers its caller; again: does nothing. */
  readonly settle: (result: Clip | AppError) => void;
  isSettled: boolean;
}

export interface DecoderThreadEvents {
  /** It has answered, and is free. */
  readonly onReply: (thread: DecoderThread, job: DecodingJob, reply: DecoderReply) => void;
  /** It is gone, or hangs and was set aside, with the job if it had one. */
  readonly onLost: (thread: DecoderThread, job: DecodingJob | undefined, cause: unknown) => void;
}

/** Longer than ffmpeg is given, so that a slow ffmpeg is ended by its own thread, which also clears up after it. */
export const defaultTimeLimitMs = 45_000;
/** A thread sees within a frame that its recording was called off; ending ffmpeg and removing its file take longer. One that takes longer still hangs. */
const timeoutMs = 5_000;
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
  #behind = false;
  /** Of its recordings so far. */
  #pieces = 0;
  #isCallingOff = false;
  #startedMs = Infinity;
  /** CPU time that the thread had used before its recording. */
  #usedBeforeMs = 0;
  /** The process that decodes its recording. */
  #childId: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(events: DecoderThreadEvents, timeLimitMs: number) {
    this.#events = events;
    this.#timeLimitMs = timeLimitMs;
    // The decoders print their troubles; what matters of them comes back as errors.
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

  /** How long it has been at its recording, its own start left out. */
  get workedMs(): number {
    return Math.max(0, performance.now() - this.#startedMs);
  }

  /**
   * CPU time that its recording has used, the process's that decodes it included: on a busy machine more time passes. Where the system
   * does not tell it is the time that has passed.
   */
  get usedMs(): number {
    const ownMs = this.#cpuMs();
    if (ownMs === undefined) return this.workedMs;
    const childMs = this.#childId === undefined ? 0 : (processCpuMs(this.#childId) ?? 0);
    return ownMs - this.#usedBeforeMs + childMs;
  }

  /** @param memory where to put the clip, if it fits */
  run(job: DecodingJob, memory: ArrayBuffer | undefined, options: DecodeOptions): void {
    this.#job = job;
    this.#isCallingOff = false;
    this.#startedMs = this.#hasStarted ? performance.now() : Infinity;
    this.#usedBeforeMs = this.#cpuMs() ?? 0;
    const { worker } = this.#thread;
    worker.ref();
    this.#timer = setTimeout(() => {
      const message = `Decoding took more than ${this.#timeLimitMs / 1000} s and was stopped.`;
      job.settle(new AppError('undecodable-audio', message));
      this.callOff();
    }, this.#timeLimitMs);
    const { sampleRate, maxSeconds, removeOffset, consume } = job.request;
    const bytes = consume === true ? movable(job.bytes) : new Uint8Array(job.bytes);
    const message: ToDecoderThread = {
      ...{ kind: 'decode', piece: ++this.#pieces, bytes, sampleRate, maxSeconds, removeOffset },
      ...{ memory, options },
    };
    worker.postMessage(message, memory === undefined ? [bytes.buffer] : [bytes.buffer, memory]);
  }

  /** It answers within a frame; one that does not in time is lost. */
  callOff(): void {
    if (this.#job === undefined || this.#isCallingOff) return;
    this.#isCallingOff = true;
    this.#thread.cancelUpTo(this.#pieces);
    this.#thread.worker.postMessage({ kind: 'cancel' } satisfies ToDecoderThread);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#lose(new Error('It does not end.'));
      void this.#thread.end(0);
    }, timeoutMs);
  }

  /** From now on, and for good, behind those that did not: a thread that stepped back may not step forward again. */
  lowerPriority(): void {
    this.#behind = true;
    // A process that was started before has the thread's old priority.
    for (const id of [this.#id, this.#childId]) if (id !== undefined) lowerThreadPriority(id, 'others');
  }

  async end(): Promise<void> {
    this.#isLost = true;
    clearTimeout(this.#timer);
    await this.#thread.end(timeoutMs);
  }

  #take(message: FromDecoderThread): void {
    if (message.kind === 'started') {
      this.#hasStarted = true;
      this.#id = message.threadId;
      this.#startedMs = performance.now();
      this.#usedBeforeMs = this.#cpuMs() ?? 0;
      if (this.#behind) this.lowerPriority();
      return;
    }
    if (message.kind === 'child') {
      this.#childId = message.pid;
      if (this.#behind) this.lowerPriority();
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

/** The bytes where they have a buffer to themselves, a copy elsewhere: Node keeps small buffers of many owners in one. */
function movable(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength;
  return isWhole ? new Uint8Array(buffer) : new Uint8Array(bytes);
}
