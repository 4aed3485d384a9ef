import type { KernelsChoice } from '../../compute/kernels/kernels-addon';
import { AppError, type ErrorCode } from '../../errors/app-error';
import { assertThreadsAvailable } from '../../runtime/threads/thread';
import { usableCores } from '../../runtime/usable-cores';
import type { Clip, ClipDecoder } from '../../signal/clip';
import type { DecoderReply } from './decoder-messages';
import { DecoderThread, defaultTimeLimitMs, type DecodingJob, type PoolRequest } from './decoder-thread';
import { DecodingQueue, dueMs } from './decoding-queue';
import type { FfmpegOptions } from '../ffmpeg/ffmpeg';
import { sweepRecordings } from '../ffmpeg/recording-folder';

export interface DecoderPool extends ClipDecoder {
  decode(bytes: Uint8Array, request: PoolRequest): Promise<Clip>;
}

export interface DecoderPoolOptions extends FfmpegOptions {
  /** Number of recordings that are decoded at the same time. */
  readonly threads: number;
  /**
   * Number of additional threads for long recordings, at lower priority. 0 (the default): all recordings
   * run on `threads` to their end.
   */
  readonly longThreads?: number;
  /** A recording that takes longer fails. */
  readonly timeLimitMs?: number;
  /** The native kernels, looked up for every recording, because a service gets them while it starts. */
  readonly kernels?: () => KernelsChoice | undefined;
}

/**
 * Returns the number of decoding threads of a service: one core is left to the engine, and more than
 * four are never busy.
 * @param cores number of cores that it may use
 */
export function defaultDecodeThreads(cores = usableCores()): number {
  return Math.min(4, Math.max(1, cores - 1));
}

/**
 * Returns the number of decoding threads of a program that does nothing else meanwhile; each takes some
 * 20 MB.
 */
export function maxDecodeThreads(cores = usableCores()): number {
  return Math.min(16, cores);
}

/** Threads, and the queue of recordings for them. */
interface Lane {
  readonly queue: DecodingQueue<DecodingJob>;
  readonly threads: Set<DecoderThread>;
  readonly maxThreads: number;
}

/**
 * Limits after which a recording counts as long while others wait. The CPU time limit is `total` divided
 * by the number that wait, between `min` and `max`, so that together they wait at most 1.5 s. `elapsed`
 * is the limit of wall time, for a recording that waits for something else. A large recording yields at
 * once to one that is due earlier.
 */
const longAfterMs = { max: 500, min: 150, total: 1500, elapsed: 1000 };
/** Interval at which the limits are checked. */
const checkIntervalMs = 100;
/**
 * Buffers that are reused for later clips instead of being garbage-collected: maximum size, and maximum
 * number.
 */
const spareBytes = 4 << 20;
const maxSpare = 8;

/** Error codes with which a thread reports a fault of the machine. */
const machineCodes: readonly ErrorCode[] = ['internal', 'storage-full'];

const cancelled = (): AppError => new AppError('cancelled', 'Decoding was called off.');

/**
 * Decodes on threads. A thread starts when a job finds none idle, and stays; a program that decodes
 * nothing therefore starts none. A service starts the first by decoding a clip before it reports ready.
 * Callers are served round-robin (decoding-queue.ts) and may queue any number of jobs, so services limit
 * the number in flight.
 *
 * With `longThreads`, a recording that takes long while others wait yields: it continues at lower
 * priority on a thread that becomes a long one, or starts again on a free long thread. Short recordings
 * therefore never wait for long ones. Background jobs run there too, when no other job waits.
 *
 * The caller keeps its bytes, and a copy goes to the thread, unless `consume` is set. A cancelled job is
 * removed from the queue; a running one stops within a frame. When a thread dies or a recording exceeds
 * the time limit, the job fails with undecodable-audio where the recording is the cause, and with
 * internal otherwise. A dead thread is replaced.
 * @throws RangeError for fewer than one thread
 */
export function createDecoderPool({
  threads,
  longThreads = 0,
  timeLimitMs = defaultTimeLimitMs,
  kernels = () => undefined,
  ...options
}: DecoderPoolOptions): DecoderPool {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(`expected at least one decoder thread, got ${threads}`);
  }
  void sweepRecordings();
  const spare: ArrayBuffer[] = [];
  const quick: Lane = { queue: new DecodingQueue(), threads: new Set(), maxThreads: threads };
  const long: Lane = { queue: new DecodingQueue(), threads: new Set(), maxThreads: longThreads };
  const hasLong = longThreads > 0;
  const yielding = new Set<DecodingJob>();
  let checkTimer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;

  const laneOf = (thread: DecoderThread): Lane => (long.threads.has(thread) ? long : quick);
  const idleOf = ({ threads: all }: Lane): DecoderThread | undefined =>
    [...all].find(({ job }) => job === undefined);
  const jobsOf = ({ threads: all }: Lane): DecodingJob[] =>
    [...all].map(({ job }) => job).filter((job) => job !== undefined);

  function startThread(lane: Lane): DecoderThread {
    assertThreadsAvailable();
    const thread = new DecoderThread({ onReply, onLost }, timeLimitMs);
    lane.threads.add(thread);
    if (lane === long) thread.lowerPriority();
    return thread;
  }

  function onReply(thread: DecoderThread, job: DecodingJob, reply: DecoderReply): void {
    const lane = laneOf(thread);
    const result = resultOf(reply);
    const isMachine = result instanceof AppError && machineCodes.includes(result.code);
    // A WebAssembly module that failed to load once is remembered as missing for the life of the thread.
    if (isMachine) {
      lane.threads.delete(thread);
      void thread.end();
    }
    const bytes = reply.kind === 'error' ? reply.bytes : undefined;
    if (yielding.delete(job) && bytes !== undefined && !job.isSettled) {
      job.bytes = bytes;
      long.queue.add(job);
    } else {
      job.settle(result);
      job.request.onEnd?.(bytes);
    }
    dispatch();
  }

  function onLost(thread: DecoderThread, job: DecodingJob | undefined, cause: unknown): void {
    laneOf(thread).threads.delete(thread);
    if (job !== undefined) yielding.delete(job);
    job?.settle(isMemoryUsedUp(cause) ? decoderCrash(cause) : AppError.from(cause));
    job?.request.onEnd?.(undefined);
    dispatch();
  }

  function dispatch(): void {
    if (closing !== undefined) return;
    serve(quick);
    // A recording that yields arrives in a moment, and may be due before those that wait.
    if (yielding.size === 0) serve(long);
    if (hasLong && quick.queue.size > 0) checkTimer ??= setTimeout(yieldLongJobs, checkIntervalMs).unref();
  }

  /** Assigns waiting jobs to the threads of a lane. */
  function serve(lane: Lane): void {
    const { queue, threads: all, maxThreads } = lane;
    while (queue.size > 0) {
      const idle = idleOf(lane);
      if (idle === undefined && all.size >= maxThreads) return;
      const job = queue.next(jobsOf(lane))!;
      try {
        (idle ?? startThread(lane)).run(job, spare.pop(), { ...options, kernels: kernels() });
      } catch (error) {
        job.settle(AppError.from(error));
        job.request.onEnd?.(undefined);
      }
    }
  }

  /** Moves recordings that take long out of the way of those that wait. */
  function yieldLongJobs(): void {
    checkTimer = undefined;
    const { max, min, total, elapsed } = longAfterMs;
    const limitMs = Math.max(min, Math.min(max, total / quick.queue.size));
    for (const thread of [...quick.threads]) {
      const { job } = thread;
      if (quick.queue.size === 0 || job === undefined) continue;
      const isLong = thread.usedMs >= limitMs || thread.workedMs >= elapsed;
      if (isLong || quick.queue.hasBefore(job)) moveToLong(thread);
    }
    dispatch();
  }

  function moveToLong(thread: DecoderThread): void {
    const idle = idleOf(long);
    if (idle === undefined && long.threads.size >= long.maxThreads) {
      yielding.add(thread.job!);
      thread.cancel();
      const unwanted = [...long.threads].find(({ job }) => job?.isBackground === true);
      if (unwanted === undefined) return;
      yielding.add(unwanted.job!);
      unwanted.cancel();
      return;
    }
    if (idle !== undefined) {
      long.threads.delete(idle);
      void idle.end();
    }
    quick.threads.delete(thread);
    long.threads.add(thread);
    thread.lowerPriority();
    serve(quick);
  }

  function cancel(job: DecodingJob): void {
    const waited = quick.queue.remove(job) || long.queue.remove(job);
    job.settle(cancelled());
    if (waited) job.request.onEnd?.(undefined);
    else [...quick.threads, ...long.threads].find((thread) => thread.job === job)?.cancel();
  }

  async function closeAll(): Promise<void> {
    clearTimeout(checkTimer);
    const all = [...quick.threads, ...long.threads];
    const jobs = [...quick.queue.removeAll(), ...long.queue.removeAll(), ...jobsOf(quick), ...jobsOf(long)];
    for (const job of jobs) job.settle(cancelled());
    await Promise.all(all.map((thread) => thread.end()));
    for (const { request } of jobs) request.onEnd?.(undefined);
  }

  return {
    decode(bytes, request) {
      const { signal, caller = '', isBackground = false } = request;
      if (closing !== undefined || signal?.aborted === true) {
        request.onEnd?.(undefined);
        return Promise.reject(cancelled());
      }
      return new Promise<Clip>((resolve, reject) => {
        const onAbort = (): void => {
          cancel(job);
        };
        const job: DecodingJob = {
          bytes,
          request,
          caller,
          isBackground,
          isSettled: false,
          dueMs: dueMs(performance.now(), bytes.byteLength),
          settle(result) {
            job.isSettled = true;
            signal?.removeEventListener('abort', onAbort);
            if (result instanceof AppError) reject(result);
            else resolve(result);
          },
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        (isBackground && hasLong ? long : quick).queue.add(job);
        dispatch();
      });
    },
    discard() {
      // It is left to the garbage collector.
    },
    recycle({ samples: { buffer } }) {
      const isReusable = buffer instanceof ArrayBuffer && buffer.byteLength <= spareBytes;
      if (isReusable && spare.length < maxSpare) spare.push(buffer);
    },
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}

function resultOf(reply: DecoderReply): Clip | AppError {
  if (reply.kind === 'clip') return reply.clip;
  const { code, message, details, cause } = reply;
  return new AppError(code, message, { details, cause: cause === undefined ? undefined : new Error(cause) });
}

/**
 * Tells whether a thread exceeded its own memory limit, which does not depend on other recordings or the
 * machine.
 */
function isMemoryUsedUp(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function decoderCrash(cause: unknown): AppError {
  const message = 'The recording brought its decoder down; it is damaged or beyond what is taken here.';
  return new AppError('undecodable-audio', message, { cause });
}
