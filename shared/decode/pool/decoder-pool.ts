import type { KernelsChoice } from '../../compute/kernels/kernels-addon';
import { AppError, type ErrorCode } from '../../errors/app-error';
import { assertThreadsAvailable } from '../../runtime/threads/thread';
import { usableCores } from '../../runtime/usable-cores';
import type { Clip, ClipDecoder } from '../../signal/clip';
import type { DecoderReply } from './decoder-messages';
import { DecoderThread, defaultTimeLimitMs, type DecodingJob } from './decoder-thread';
import { DecodingQueue, dueMs } from './decoding-queue';
import type { FfmpegOptions } from '../ffmpeg/ffmpeg';
import { sweepRecordings } from '../ffmpeg/recording-folder';

export interface DecoderPoolOptions extends FfmpegOptions {
  /** Recordings decoded at the same time. */
  readonly threads: number;
  /** Beside them, so many that take long, behind them in priority; 0 unless given: all take turns at `threads` to their end. */
  readonly longThreads?: number;
  /** A recording that takes longer is given up. */
  readonly timeLimitMs?: number;
  /** The native kernels, asked for at every recording: a service learns of them while it starts. */
  readonly kernels?: () => KernelsChoice | undefined;
}

/**
 * Decoding threads of a service: a core is left to the engine, and more than four are never kept busy.
 * @param cores what it may use
 */
export function defaultDecodeThreads(cores = usableCores()): number {
  return Math.min(4, Math.max(1, cores - 1));
}

/** Decoding threads of a program that does nothing else meanwhile; each takes some 20 MB. */
export function mostDecodeThreads(cores = usableCores()): number {
  return Math.min(16, cores);
}

/** Threads, and what waits for one of them. */
interface Lane {
  readonly queue: DecodingQueue<DecodingJob>;
  readonly threads: Set<DecoderThread>;
  readonly mostThreads: number;
}

/**
 * While others wait, a recording is long that takes more CPU time: the less the more of them wait, so that together they wait for 1.5 s.
 * One that takes so much time without it, `passed`, waits for something else, and is long too. What is large gives way at once to
 * what is due before it.
 */
const longAfterMs = { most: 500, least: 150, together: 1500, passed: 1000 };
/** How often it is looked whether one is. */
const lookMs = 100;
/** Memory that is kept for the next clips, rather than left to be collected as garbage: of usual ones, and a few of them. */
const spareBytes = 4 << 20;
const maxSpare = 8;

/** With these a thread says that the machine was at fault. */
const machineCodes: readonly ErrorCode[] = ['internal', 'storage-full'];

const cancelled = (): AppError => new AppError('cancelled', 'Decoding was called off.');

/**
 * Decodes on threads of its own. Threads start when a job finds none idle, so that a program that decodes nothing (a run whose
 * clips are all cached) pays nothing, and stay; a service starts its first by decoding a clip before it reports ready. Callers
 * take turns (decoding-queue.ts), with as many jobs as they send: whoever faces the outside bounds what it has in flight.
 *
 * Where there are threads for long recordings, one that takes long while others wait gives way to them: it goes on behind them, in
 * a thread that becomes one of those, or begins anew there when one is free. So whoever sends a short one waits for no long one.
 * What nobody waits for is decoded there too, when no caller's is.
 *
 * The caller keeps its bytes, and a copy goes to the thread, unless they are to be consumed. A job that is called off is dropped
 * from the queue; when already running it stops within a frame. A thread that dies, or a recording that overruns the time limit, fails with
 * undecodable-audio where that is the recording's doing, else with internal. A dead thread is replaced.
 * @throws RangeError for fewer than one thread
 */
export function createDecoderPool({
  threads,
  longThreads = 0,
  timeLimitMs = defaultTimeLimitMs,
  kernels = () => undefined,
  ...options
}: DecoderPoolOptions): ClipDecoder {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(`expected at least one decoder thread, got ${threads}`);
  }
  void sweepRecordings();
  const spare: ArrayBuffer[] = [];
  const quick: Lane = { queue: new DecodingQueue(), threads: new Set(), mostThreads: threads };
  const long: Lane = { queue: new DecodingQueue(), threads: new Set(), mostThreads: longThreads };
  const hasLong = longThreads > 0;
  const yielding = new Set<DecodingJob>();
  let look: NodeJS.Timeout | undefined;
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
    // A WebAssembly module that could not be had once is remembered as missing for as long as its thread lives.
    if (isMachine) {
      lane.threads.delete(thread);
      void thread.end();
    }
    const bytes = reply.kind === 'error' ? reply.bytes : undefined;
    if (yielding.delete(job) && bytes !== undefined && !job.isSettled) {
      job.bytes = bytes;
      long.queue.add(job);
    } else job.settle(result);
    dispatch();
  }

  function onLost(thread: DecoderThread, job: DecodingJob | undefined, cause: unknown): void {
    laneOf(thread).threads.delete(thread);
    if (job !== undefined) yielding.delete(job);
    job?.settle(isMemoryUsedUp(cause) ? broughtDown(cause) : AppError.from(cause));
    dispatch();
  }

  function dispatch(): void {
    if (closing !== undefined) return;
    serve(quick);
    // A recording that gives way comes in a moment, perhaps before all that waits.
    if (yielding.size === 0) serve(long);
    if (hasLong && quick.queue.size > 0) look ??= setTimeout(giveWay, lookMs).unref();
  }

  /** Gives the lane's threads what waits for them. */
  function serve(lane: Lane): void {
    const { queue, threads: all, mostThreads } = lane;
    while (queue.size > 0) {
      const idle = idleOf(lane);
      if (idle === undefined && all.size >= mostThreads) return;
      const job = queue.next(jobsOf(lane))!;
      try {
        (idle ?? startThread(lane)).run(job, spare.pop(), { ...options, kernels: kernels() });
      } catch (error) {
        job.settle(AppError.from(error));
      }
    }
  }

  /** Recordings that take long give way to those that wait. */
  function giveWay(): void {
    look = undefined;
    const { most, least, together, passed } = longAfterMs;
    const limitMs = Math.max(least, Math.min(most, together / quick.queue.size));
    for (const thread of [...quick.threads]) {
      const { job } = thread;
      if (quick.queue.size === 0 || job === undefined) continue;
      const isLong = thread.usedMs >= limitMs || thread.workedMs >= passed;
      if (isLong || quick.queue.hasBefore(job)) moveBack(thread);
    }
    dispatch();
  }

  function moveBack(thread: DecoderThread): void {
    const idle = idleOf(long);
    if (idle === undefined && long.threads.size >= long.mostThreads) {
      yielding.add(thread.job!);
      thread.callOff();
      const unwanted = [...long.threads].find(({ job }) => job?.isBackground === true);
      if (unwanted === undefined) return;
      yielding.add(unwanted.job!);
      unwanted.callOff();
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
    if (!waited) [...quick.threads, ...long.threads].find((thread) => thread.job === job)?.callOff();
  }

  async function closeAll(): Promise<void> {
    clearTimeout(look);
    const all = [...quick.threads, ...long.threads];
    const jobs = [...quick.queue.removeAll(), ...long.queue.removeAll(), ...jobsOf(quick), ...jobsOf(long)];
    for (const job of jobs) job.settle(cancelled());
    await Promise.all(all.map((thread) => thread.end()));
  }

  return {
    decode(bytes, request) {
      const { signal, caller = '', isBackground = false } = request;
      if (closing !== undefined || signal?.aborted === true) return Promise.reject(cancelled());
      return new Promise<Clip>((resolve, reject) => {
        const onAbort = (): void => {
          cancel(job);
        };
        const job: DecodingJob = {
          ...{ bytes, request, caller, isBackground, isSettled: false },
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

function resultOf(reply: DecoderReply): Clip | AppError {
  if (reply.kind === 'clip') return reply.clip;
  const { code, message, details, cause } = reply;
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
