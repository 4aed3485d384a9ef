import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { flacFile, type FlacOptions } from '../../support/flac-file';
import { rejection } from '../../support/rejection';
import { randomNumbers, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());
const request = { sampleRate: 16_000, maxSeconds: 60 };

const random = randomNumbers(21);
const { floor } = Math;

function noise(samples: number, bits: number, step = 1): number[] {
  const range = 2 ** bits / step;
  return Array.from({ length: samples }, () => (floor(random() * range) - range / 2) * step);
}

/** The mean of the channels on a scale of one, as single-precision samples. */
function meanOf(channels: readonly (readonly number[])[], bits: number): number[] {
  const exact = channels.map((channel) => Float32Array.from(channel, (sample) => sample / 2 ** (bits - 1)));
  return exact[0]!.length === 0
    ? []
    : [
        ...exact[0]!.map(
          (_, index) => exact.reduce((sum, channel) => sum + channel[index]!, 0) / exact.length,
        ),
      ];
}

describe('FLAC', () => {
  for (const bitsPerSample of [4, 8, 12, 13, 16, 20, 24, 32]) {
    it(`is exact at ${bitsPerSample} bits`, async () => {
      const samples = [
        -(2 ** (bitsPerSample - 1)),
        2 ** (bitsPerSample - 1) - 1,
        ...noise(150, bitsPerSample),
      ];
      const file = flacFile([samples], { sampleRate: 16_000, bitsPerSample });
      const clip = await pool.decode(file, request);
      expect(clip.source).toMatchObject({
        format: 'flac',
        codec: 'flac',
        channels: 1,
        durationSeconds: 152 / 16_000,
      });
      expect([...clip.samples]).toEqual(meanOf([samples], bitsPerSample));
    });
  }

  const variants: readonly Partial<FlacOptions>[] = [
    { stereo: 'left-side' },
    { stereo: 'side-right' },
    { stereo: 'mid-side' },
    { wastedBits: 3 },
    { stereo: 'left-side', wastedBits: 1 },
    { blockSamples: 1 },
  ];
  for (const variant of variants) {
    for (const bitsPerSample of [16, 32]) {
      it(`is exact with ${JSON.stringify(variant)} at ${bitsPerSample} bits`, async () => {
        const step = 2 ** (variant.wastedBits ?? 0);
        // Left alone must come out right as well: give the channels different loudness.
        const channels = [noise(100, bitsPerSample, step), noise(100, bitsPerSample - 4, step)];
        const file = flacFile(channels, { sampleRate: 16_000, bitsPerSample, ...variant });
        const clip = await pool.decode(file, request);
        expect([...clip.samples]).toEqual(meanOf(channels, bitsPerSample));
      });
    }
  }

  it('is the mean of eight channels', async () => {
    const channels = Array.from({ length: 8 }, () => noise(70, 16));
    const clip = await pool.decode(flacFile(channels, { sampleRate: 16_000, bitsPerSample: 16 }), request);
    expect([...clip.samples]).toEqual(meanOf(channels, 16));
  });

  const options = { sampleRate: 16_000, bitsPerSample: 16 };
  const whole = flacFile([noise(640, 16)], options);
  const frameBytes = (whole.length - 42) / 10;

  it('may be cut off anywhere: whole frames are taken, without one it is refused', async () => {
    const outcomes = new Set<string>();
    for (let length = 4; length <= whole.length; length += 1) {
      const result = await pool
        .decode(whole.subarray(0, length), request)
        .then(({ samples }) => samples.length)
        .catch((error: unknown) => (error as { code: string }).code);
      const frames = floor((length - 42) / frameBytes);
      const wanted = frames >= 1 ? 64 * frames : length < 42 ? 'undecodable-audio' : 'empty-audio';
      outcomes.add(result === wanted ? 'as wanted' : `${length} bytes: ${result}`);
    }
    expect([...outcomes]).toEqual(['as wanted']);
  });

  it('is refused, with the place, wherever a bit of its sound is wrong', async () => {
    for (let frame = 0; frame < 9; frame += 1) {
      const file = Buffer.from(whole);
      const start = 42 + frame * frameBytes;
      file[start + floor(random() * frameBytes)]! ^= 1 << floor(random() * 8);
      const error = await rejection(pool.decode(file, request));
      expect(error).toMatchObject({
        code: 'undecodable-audio',
        details: { format: 'FLAC', byteOffset: start },
      });
    }
  });

  it.each([
    ['directly', Buffer.alloc(0)],
    ['behind its own tags', Buffer.from('ID3\x04\0\0\0\0\0\x0a'.padEnd(20, '\0'), 'latin1')],
  ])('hung behind another is heard behind it, %s', async (_, between) => {
    const [first, second] = [noise(8000, 16), noise(6000, 16)];
    const options = { sampleRate: 16_000, bitsPerSample: 16 };
    for (const isCounted of [true, false]) {
      const files = [first, second].map((samples) => Buffer.from(flacFile([samples], options)));
      // STREAMINFO's count of samples, which a writer that streams leaves at 0.
      if (!isCounted) for (const file of files) file.fill(0, 22, 26);
      const { samples } = await pool.decode(Buffer.concat([files[0]!, between, files[1]!]), request);
      expect([...samples]).toEqual(meanOf([[...first, ...second]], 16));
    }
  });

  it('is refused where a frame is missing', async () => {
    const file = Buffer.concat([whole.subarray(0, 42 + 3 * frameBytes), whole.subarray(42 + 4 * frameBytes)]);
    expect((await rejection(pool.decode(file, request))).message).toContain(
      'a frame before this one is missing',
    );
  });
});

describeWithFfmpeg('FLAC from an encoder', () => {
  const exact = swell(1, 16_000);
  for (const [depth, type] of [
    ['s16', 's16'],
    ['s32', 's24'],
  ] as const) {
    for (const level of [0, 5, 12]) {
      it(`is exact at level ${level} from ${type}`, async () => {
        const wav = wavFile([exact, exact.map((x) => x * -0.3)], { sampleRate: 16_000, type });
        const file = encode(wav, 'a.flac', '-sample_fmt', depth, '-compression_level', String(level));
        const [got, wanted] = [await pool.decode(file, request), await pool.decode(wav, request)];
        expect(got.source.codec).toBe('flac');
        expect([...got.samples]).toEqual([...wanted.samples]);
      });
    }
  }

  it('is exact where it is noise at full scale', async () => {
    const loud = Float32Array.from({ length: 16_000 }, () => random() * 2 - 1);
    const wav = wavFile([loud], { sampleRate: 16_000, type: 's16' });
    const got = await pool.decode(encode(wav, 'a.flac'), request);
    expect([...got.samples]).toEqual([...(await pool.decode(wav, request)).samples]);
  });
});
