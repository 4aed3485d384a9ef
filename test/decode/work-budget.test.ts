import { readFileSync } from 'node:fs';
import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import { createWorkBudget, workNs } from '../../shared/decode/bytes/work-budget';
import { rejection } from '../support/rejection';
import { emptyFlac } from '../support/flac-file';
import { firstFlag, lastFlag, packetsOf, pageOf, readPages, writeOgg } from '../support/ogg-file';
import { samplePath } from '../support/sound-files';

/** Streams of one packet of 20 ms, one behind the other. */
function oggChain(streams: number): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0', 'latin1');
  const tags = Buffer.from('OpusTags\x01\0\0\0x\0\0\0\0', 'latin1');
  return writeOgg(
    Array.from({ length: streams }, (_, serial) => [
      pageOf([head], { serial, sequence: 0, flags: firstFlag, granule: 0n }),
      pageOf([tags], { serial, sequence: 1, flags: 0, granule: 0n }),
      pageOf([Buffer.of(0x18)], { serial, sequence: 2, flags: lastFlag, granule: 960n }),
    ]).flat(),
  );
}

/** A Vorbis stream whose decoder is asked for a codebook of so many entries. */
function oggWithCodebook(entries: number): Buffer {
  const pages = readPages(readFileSync(samplePath('dog.ogg')));
  const [head, comments] = packetsOf(pages.slice(0, 2));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(entries);
  const setup = Buffer.concat([
    Buffer.from('\x05vorbis\0BCV\x01\0', 'latin1'),
    size.subarray(0, 3),
    Buffer.alloc(100),
  ]);
  const { serial } = pages[0]!;
  return writeOgg([
    pageOf([head!], { serial, sequence: 0, flags: firstFlag, granule: 0n }),
    pageOf([comments!, setup], { serial, sequence: 1, flags: 0, granule: 0n }),
    ...pages.slice(2).map((page, index) => ({ ...page, sequence: index + 2 })),
  ]);
}

const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());

async function outcomeOf(bytes: Uint8Array): Promise<{ error?: string; seconds?: number }> {
  try {
    const { source } = await pool.decode(bytes, { sampleRate: 16_000, maxSeconds: 600 });
    return { seconds: source.durationSeconds };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

describe('work that a recording does not explain', () => {
  it('is refused when a fraction of it is done: predictors over nothing, in 250 kB', async () => {
    const frames = 400;
    const { error } = await outcomeOf(emptyFlac(frames, 8, 32));
    expect(error).toContain('takes far more work than its length and size explain');
    const wholeNs = frames * 65_535 * 8 * 32 * workNs.product;
    expect(() => {
      createWorkBudget(250_000).spend((wholeNs * 2) / 3);
    }).toThrow('far more work');
  });

  it('is not what an hour takes in the most compact codec, where an hour is taken', () => {
    const [packets, samples] = [3600 * 50, 3600 * 48_000];
    const bytes = packets * 20;
    const ns = packets * workNs.piece + samples * (2 * workNs.sample + workNs.mixedSample);
    expect(() => {
      createWorkBudget(bytes, 3600).spend(ns);
    }).not.toThrow();
    expect(() => {
      createWorkBudget(bytes, 600).spend(ns);
    }).toThrow('far more work');
  });

  it('is not what silence takes, however small its file is', async () => {
    const frames = 200;
    const silent = emptyFlac(frames, 2, 0);
    expect(silent.length).toBeLessThan(4_000);
    const seconds = (frames * 65_535) / 384_000;
    expect(await outcomeOf(silent)).toEqual({ seconds: expect.closeTo(seconds, 3) });
    // Ten minutes of stereo from a usual encoder, all but silent; and of eight channels.
    const samples = 600 * 48_000;
    for (const [channels, order] of [
      [2, 12],
      [8, 0],
    ] as const) {
      const productsNs = channels * order * workNs.product;
      createWorkBudget(100_000).spend(
        samples * (channels * workNs.sample + productsNs + workNs.mixedSample) + workNs.filter,
      );
    }
  });

  it('is refused when it is a chain of streams of hardly any bytes, and told what it is', async () => {
    const { error } = await outcomeOf(oggChain(2000));
    expect(error).toContain('too many streams, one behind the other');
  });

  it('is not what a chain of a few streams takes', async () => {
    expect(await outcomeOf(oggChain(25))).toEqual({ seconds: expect.closeTo(0.5, 9) });
  });

  it('is refused before it begins when a Vorbis header asks for it: a codebook of millions of entries', async () => {
    expect((await outcomeOf(oggWithCodebook(2 ** 23))).error).toContain(
      'larger tables than any encoder writes',
    );
    // Broken behind it, and the decoder may say so.
    expect((await outcomeOf(oggWithCodebook(1000))).error).not.toContain('tables');
    const { seconds } = await outcomeOf(readFileSync(samplePath('dog.ogg')));
    expect(seconds).toBeGreaterThan(1);
  });

  it('is more for more bytes, and counts in pieces where there is hardly any sound in them', async () => {
    const pieces = (bytes: number): number => {
      const budget = createWorkBudget(bytes);
      for (let count = 0; ; count += 1) {
        try {
          budget.spend(workNs.piece);
        } catch {
          return count;
        }
      }
    };
    // Ten minutes of packets of 2.5 ms, and no end of pieces of a sample.
    expect(pieces(1_000_000)).toBeGreaterThan(600 / 0.0025);
    expect(pieces(25_000_000)).toBeLessThan(1_000_000);
    const refused = await rejection(
      Promise.resolve().then(() => {
        createWorkBudget(100).spend(1e12);
      }),
    );
    expect(refused.code).toBe('undecodable-audio');
  });
});
