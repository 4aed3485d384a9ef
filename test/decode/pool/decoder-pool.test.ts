import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { AppError } from '../../../shared/errors/app-error';
import { rejection } from '../../support/rejection';
import { largestDifference, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const request = { sampleRate: 16_000, maxSeconds: 600 };
const wavOf = (seconds: number, sampleRate = 16_000): Buffer =>
  wavFile([swell(seconds, sampleRate)], { sampleRate, type: 'f32' });
const short = wavOf(0.1);
/** Minutes at an odd rate: seconds of work. */
const slow = wavFile([new Float32Array(44_101 * 60)], { sampleRate: 44_101, type: 'u8' });

async function using<Result>(
  options: Parameters<typeof createDecoderPool>[0],
  use: (pool: ReturnType<typeof createDecoderPool>) => Promise<Result>,
): Promise<Result> {
  const pool = createDecoderPool(options);
  try {
    return await use(pool);
  } finally {
    await pool.close();
  }
}

describe('createDecoderPool', () => {
  it('answers each caller with its own clip, more of them than threads', async () => {
    await using({ threads: 2 }, async (pool) => {
      const lengths = Array.from({ length: 20 }, (_, index) => 0.05 + index / 100);
      const clips = await Promise.all(lengths.map((seconds) => pool.decode(wavOf(seconds), request)));
      clips.forEach(({ samples }, index) => {
        expect(largestDifference(samples, swell(lengths[index]!, 16_000))).toBe(0);
      });
    });
  });

  it('puts later clips where earlier ones were that were given back, and only there', async () => {
    await using({ threads: 1 }, async (pool) => {
      const [kept, given] = [await pool.decode(wavOf(0.3), request), await pool.decode(wavOf(0.3), request)];
      pool.recycle(given);
      // Shorter than what was given back, and the one after it longer than all.
      for (const seconds of [0.2, 0.4]) {
        const { samples } = await pool.decode(wavOf(seconds), request);
        expect(largestDifference(samples, swell(seconds, 16_000))).toBe(0);
      }
      expect(given.samples.length).toBe(0);
      expect(largestDifference(kept.samples, swell(0.3, 16_000))).toBe(0);
    });
  });

  it('passes code, message and details of an error on', async () => {
    await using({ threads: 1 }, async (pool) => {
      const error = await rejection(pool.decode(short.subarray(0, 30), request));
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({
        code: 'undecodable-audio',
        message: 'The WAV file is damaged: it ends before its data chunk (at byte 12).',
        details: { format: 'WAV', byteOffset: 12 },
      });
    });
  });

  it('goes on after an error', async () => {
    await using({ threads: 1 }, async (pool) => {
      await rejection(pool.decode(Buffer.from('rubbish'), request));
      await expect(pool.decode(short, request)).resolves.toMatchObject({ sampleRate: 16_000 });
    });
  });

  it('leaves the caller’s bytes to the caller', async () => {
    await using({ threads: 1 }, async (pool) => {
      // A small Buffer is a piece of memory shared by many.
      const small = Buffer.from(wavOf(0.01));
      const before = Buffer.concat([small]);
      await pool.decode(small, request);
      expect(small.equals(before)).toBe(true);
    });
  });

  it('drops a waiting job when its caller goes away, and never runs it', async () => {
    await using({ threads: 1 }, async (pool) => {
      const controller = new AbortController();
      const running = pool.decode(slow, request);
      const waiting = pool.decode(slow, { ...request, signal: controller.signal });
      const next = pool.decode(short, request);
      controller.abort();
      expect((await rejection(waiting)).code).toBe('cancelled');
      await running;
      await expect(next).resolves.toBeDefined();
    });
  });

  it('rejects at once when a running job is called off, and uses the thread again', async () => {
    await using({ threads: 1 }, async (pool) => {
      const controller = new AbortController();
      let isDone = false;
      const running = pool.decode(slow, { ...request, signal: controller.signal });
      const next = pool.decode(short, request).then((clip) => {
        isDone = true;
        return clip;
      });
      controller.abort();
      expect((await rejection(running)).code).toBe('cancelled');
      expect(isDone).toBe(false);
      expect((await next).samples).toHaveLength(1_600);
    });
  });

  it('does not begin with a signal that is already aborted', async () => {
    await using({ threads: 1 }, async (pool) => {
      const error = await rejection(pool.decode(short, { ...request, signal: AbortSignal.abort() }));
      expect(error.code).toBe('cancelled');
    });
  });

  it('stops a job that takes too long and replaces its thread', async () => {
    await using({ threads: 1, timeLimitMs: 150 }, async (pool) => {
      // The first job pays for the thread's start.
      const error = await rejection(pool.decode(slow, { ...request, sampleRate: 44_099 }));
      expect(error).toMatchObject({
        code: 'undecodable-audio',
        message: 'Decoding took more than 0.15 s and was stopped.',
      });
    });
    await using({ threads: 1, timeLimitMs: 5_000 }, async (pool) => {
      await expect(pool.decode(short, request)).resolves.toBeDefined();
    });
  });

  it('refuses what is waiting and running when it closes, and everything afterwards', async () => {
    const pool = createDecoderPool({ threads: 1 });
    const jobs = [pool.decode(slow, request), pool.decode(short, request)].map(rejection);
    const closed = pool.close();
    expect((await Promise.all(jobs)).map(({ code }) => code)).toEqual(['cancelled', 'cancelled']);
    await closed;
    await pool.close();
    expect((await rejection(pool.decode(short, request))).code).toBe('cancelled');
  });

  for (const threads of [0, -1, 1.5, NaN]) {
    it(`refuses ${threads} threads`, () => {
      expect(() => createDecoderPool({ threads })).toThrow(`at least one decoder thread, got ${threads}`);
    });
  }
});
