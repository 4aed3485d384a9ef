import { ByteBudget, largestRequestBytes, type Room } from '../../batching/byte-budget';
import { AppError } from '../../errors/app-error';
import { deferred } from '../../runtime/deferred';
import type { Clip, ClipDecoder } from '../../signal/clip';
import type { DecoderPool } from './decoder-pool';
import type { PoolRequest } from './decoder-thread';
import { expectedSeconds } from './expected-seconds';

export interface BoundedDecoder extends ClipDecoder {
  /** Bytes of decoded audio that are held or set aside now. */
  readonly heldBytes: number;
}

export interface BoundedDecoderOptions {
  /** What decoded audio may take, of recordings that are decoded and of clips that are in use. */
  readonly maxBytes: number;
  /** Called when a recording waited for memory until its time was over. */
  readonly onRefused?: () => void;
}

type ClipRequest = Omit<PoolRequest, 'onEnd'>;

const bytesPerSample = Float32Array.BYTES_PER_ELEMENT;
/** While a recording is decoded its samples are held twice: in pieces, and joined. */
const copiesWhileDecoding = 2;

const mebibyte = 2 ** 20;

/**
 * Returns how many bytes of decoded audio a service holds unless it is told otherwise: a quarter of the
 * memory limit, between 128 MiB and 1 GiB; 1 GiB without a limit.
 */
export function defaultDecodedAudioBytes(limitBytes = Infinity): number {
  return Math.floor(Math.max(128 * mebibyte, Math.min(1024 * mebibyte, limitBytes / 4)));
}

/** The longest recording, in seconds, whose decoding fits into a budget of `maxBytes`. */
export function longestSeconds(maxBytes: number, sampleRate: number): number {
  const bytesPerSecond = copiesWhileDecoding * bytesPerSample * sampleRate;
  return largestRequestBytes(maxBytes) / bytesPerSecond;
}

/** What is said to who waited for memory until the time was over. */
function memoryTaken(cause: unknown): AppError {
  const { code, details } = AppError.from(cause);
  if (code !== 'engine-unavailable') return AppError.from(cause);
  return new AppError('overloaded', 'Other recordings took all memory for decoded audio; try again later.', {
    cause,
    details,
  });
}

/**
 * A decoder whose decoded audio never takes more than a budget in bytes. Before a recording is decoded
 * it waits for the memory that its expected length takes; afterwards it holds what it really takes,
 * until the clip is recycled or discarded. A recording that proves to be longer than expected is decoded
 * again, with memory for the longest; one that would not fit into the budget is refused as
 * `clip-too-long`. Memory counts as held until the thread has let go of it, also where the caller has
 * left.
 */
export function createBoundedDecoder(
  pool: DecoderPool,
  { maxBytes, onRefused }: BoundedDecoderOptions,
): BoundedDecoder {
  const budget = new ByteBudget(maxBytes);
  const rooms = new WeakMap<Clip, Room>();

  async function takeRoom(seconds: number, request: ClipRequest): Promise<Room> {
    const { caller = '', isBackground = false, signal, sampleRate } = request;
    const samples = Math.ceil(seconds * sampleRate);
    const bytes = Math.min(budget.largestRequestBytes, copiesWhileDecoding * bytesPerSample * samples);
    try {
      return await budget.take({ caller, bytes, isBackground, signal });
    } catch (error) {
      if (error instanceof AppError && error.code === 'cancelled') throw error;
      onRefused?.();
      throw memoryTaken(error);
    }
  }

  /** @returns the clip; or the bytes again, where it is longer than `maxSeconds` */
  async function decodeUpTo(
    maxSeconds: number,
    bytes: Uint8Array,
    request: ClipRequest,
  ): Promise<Clip | { readonly tooLong: AppError; readonly bytes: Uint8Array }> {
    const room = await takeRoom(maxSeconds, request);
    const ended = deferred<Uint8Array | undefined>();
    try {
      const clip = await pool.decode(bytes, { ...request, maxSeconds, onEnd: ended.resolve });
      room.shrinkTo(clip.samples.byteLength);
      rooms.set(clip, room);
      return clip;
    } catch (error) {
      void ended.promise.then(() => {
        room.release();
      });
      if (!(error instanceof AppError && error.code === 'clip-too-long')) throw error;
      return { tooLong: error, bytes: (await ended.promise) ?? bytes };
    }
  }

  const release = (clip: Clip): void => {
    rooms.get(clip)?.release();
  };
  return {
    get heldBytes() {
      return budget.heldBytes;
    },
    async decode(bytes, request) {
      const longest = Math.min(request.maxSeconds, longestSeconds(maxBytes, request.sampleRate));
      const expected = Math.min(longest, expectedSeconds(bytes));
      const first = await decodeUpTo(expected, bytes, request);
      if (!('tooLong' in first)) return first;
      if (expected === longest) throw first.tooLong;
      const second = await decodeUpTo(longest, first.bytes, request);
      if ('tooLong' in second) throw second.tooLong;
      return second;
    },
    recycle(clip) {
      release(clip);
      pool.recycle(clip);
    },
    discard: release,
    close: () => pool.close(),
  };
}
