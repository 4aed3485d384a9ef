import type { Clip, DecodeRequest } from '../../../shared/signal/clip';
import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import type { AppError } from '../../../shared/errors/app-error';
import { largestDifference, swell, tone } from '../../support/signals';
import { rejection } from '../../support/rejection';
import { chunk, wavFile, type SampleType } from '../../support/wav-file';

const request = { sampleRate: 16_000, maxSeconds: 60 };
const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());

function decode(bytes: Uint8Array, request: DecodeRequest): Promise<Clip> {
  return pool.decode(bytes, request);
}

const sound = swell(0.25, 16_000);
const plain = { sampleRate: 16_000, type: 's16' } as const;

/** Half a quantisation step, or for the logarithmic codecs half their largest one. */
const types: readonly { type: SampleType; codec: string; tolerance: number }[] = [
  { type: 'u8', codec: 'pcm_u8', tolerance: 0.5 / 128 },
  { type: 's16', codec: 'pcm_s16le', tolerance: 0.5 / 32_768 },
  { type: 's24', codec: 'pcm_s24le', tolerance: 0.5 / 8_388_608 + 3e-8 },
  { type: 's32', codec: 'pcm_s32le', tolerance: 3e-8 },
  { type: 'f32', codec: 'pcm_f32le', tolerance: 0 },
  { type: 'f64', codec: 'pcm_f64le', tolerance: 3e-8 },
  { type: 'alaw', codec: 'alaw', tolerance: 64 / 4096 },
  { type: 'mulaw', codec: 'mulaw', tolerance: 128 / 8192 },
];

describe('WAV samples', () => {
  for (const { type, codec, tolerance } of types) {
    for (const extensible of [false, true]) {
      it(`are read back from ${type}${extensible ? ' in an extensible header' : ''}`, async () => {
        const clip = await decode(wavFile([sound], { sampleRate: 16_000, type, extensible }), request);
        expect(clip.source).toEqual({
          format: 'wav',
          codec,
          sampleRate: 16_000,
          channels: 1,
          durationSeconds: 0.25,
        });
        expect(clip.samples).toHaveLength(4_000);
        expect(largestDifference(clip.samples, sound)).toBeLessThanOrEqual(tolerance);
      });
    }
  }

  it('give the exact values at the ends of the integer ranges', async () => {
    const clip = await decode(wavFile([[-1, 0, 1]], plain), request);
    expect([...clip.samples]).toEqual([-1, 0, 32_767 / 32_768]);
  });

  for (const channels of [1, 2, 3, 8, 32]) {
    it(`are the mean of ${channels} channels`, async () => {
      const ramps = Array.from({ length: channels }, (_, channel) => sound.map((x) => x * (channel + 1)));
      const scaled = ramps.map((ramp) => ramp.map((x) => x / channels));
      const clip = await decode(wavFile(scaled, { ...plain, type: 'f32', extensible: true }), request);
      expect(clip.source.channels).toBe(channels);
      const mean = (channels + 1) / 2 / channels;
      expect(
        largestDifference(
          clip.samples,
          sound.map((x) => x * mean),
        ),
      ).toBeLessThan(1e-6);
    });
  }

  for (const sampleRate of [
    4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000, 500_000,
  ]) {
    it(`keep their length and pitch from ${sampleRate} Hz`, async () => {
      const clip = await decode(
        wavFile([tone(1_000, sampleRate, sampleRate)], { sampleRate, type: 'f32' }),
        request,
      );
      expect(clip.source).toMatchObject({ sampleRate, durationSeconds: 1 });
      expect(clip.sampleRate).toBe(16_000);
      const middle = clip.samples.subarray(2_000, 14_000);
      expect(clip.samples).toHaveLength(16_000);
      expect(largestDifference(middle, tone(1_000, 16_000, 16_000).subarray(2_000, 14_000))).toBeLessThan(
        1e-4,
      );
    });
  }
});

describe('WAV headers', () => {
  const odd = chunk('LIST', Buffer.from('odd'));
  const good: readonly [string, Buffer][] = [
    [
      'unknown chunks before the data',
      wavFile([sound], { ...plain, extraChunks: [chunk('junk', Buffer.alloc(28)), odd] }),
    ],
    [
      'an odd chunk without its padding byte',
      wavFile([sound], { ...plain, extraChunks: [chunk('LIST', Buffer.from('odd'), { pad: false })] }),
    ],
    ['chunks behind the data', wavFile([sound], { ...plain, trailer: odd })],
    ['a data size of 0 from a streaming writer', wavFile([sound], { ...plain, dataSize: 0 })],
    [
      'a data size of 0xFFFFFFFF from a streaming writer',
      wavFile([sound], { ...plain, dataSize: 0xffffffff }),
    ],
    ['a data size beyond the end of the file', wavFile([sound], { ...plain, dataSize: 1_000_000 })],
    ['RF64 with its size in ds64', wavFile([sound], { ...plain, rf64: true })],
    ['RF64 with chunks behind the data', wavFile([sound], { ...plain, rf64: true, trailer: odd })],
  ];
  for (const [name, file] of good) {
    it(`may have ${name}`, async () => {
      const { samples, source } = await decode(file, request);
      expect(largestDifference(samples, sound)).toBeLessThan(0.5 / 32_000);
      expect(source.durationSeconds).toBe(0.25);
    });
  }

  const broken = (change: (file: Buffer) => void): Buffer => {
    const file = wavFile([sound], plain);
    change(file);
    return file;
  };
  const bad: readonly [string, Buffer, string, number | undefined][] = [
    ['without samples', wavFile([[]], plain), 'empty-audio', undefined],
    [
      'without samples, with chunks behind',
      wavFile([[]], { ...plain, trailer: odd }),
      'empty-audio',
      undefined,
    ],
    ['of no channel', broken((file) => file.writeUInt16LE(0, 22)), 'undecodable-audio', 22],
    [
      'of 33 channels',
      wavFile(
        Array.from({ length: 33 }, () => sound),
        plain,
      ),
      'undecodable-audio',
      undefined,
    ],
    ['at 3,999 Hz', wavFile([sound], { ...plain, sampleRate: 3_999 }), 'undecodable-audio', undefined],
    [
      'at 1,000,001 Hz',
      wavFile([sound], { ...plain, sampleRate: 1_000_001 }),
      'undecodable-audio',
      undefined,
    ],
    ['at 0 Hz', broken((file) => file.writeUInt32LE(0, 24)), 'undecodable-audio', undefined],
    ['of 40-bit integers', broken((file) => file.writeUInt16LE(40, 34)), 'undecodable-audio', 34],
    ['with a short fmt chunk', broken((file) => file.writeUInt32LE(14, 16)), 'undecodable-audio', 20],
    ['with data before fmt', broken((file) => file.write('data', 12)), 'undecodable-audio', 12],
    ['without a data chunk', broken((file) => file.write('atad', 36)), 'undecodable-audio', 8_044],
  ];
  for (const [name, file, code, byteOffset] of bad) {
    it(`of a file ${name} are refused as ${code}`, async () => {
      const error = await rejection(decode(file, request));
      expect(error.code).toBe(code);
      expect(error.details['byteOffset']).toBe(byteOffset);
    });
  }

  it('may be cut off at any byte: within the sound it is taken as far as it goes, before that it is refused', async () => {
    const file = wavFile([sound.subarray(0, 64)], { ...plain, extraChunks: [odd] });
    const dataStart = file.length - 128;
    const outcome = async (length: number): Promise<string> => {
      try {
        const { samples } = await decode(file.subarray(0, length), request);
        const difference = largestDifference(samples, sound.subarray(0, samples.length));
        return difference < 1e-4 ? `${samples.length} samples` : 'wrong samples';
      } catch (error) {
        return (error as AppError).code;
      }
    };
    const wanted = (length: number): string => {
      if (length === 0) return 'empty-audio';
      if (length < 12) return 'unsupported-media';
      if (length < dataStart) return 'undecodable-audio';
      return length < dataStart + 2 ? 'empty-audio' : `${Math.floor((length - dataStart) / 2)} samples`;
    };
    for (let length = 0; length <= file.length; length += 1) {
      expect(await outcome(length)).toBe(wanted(length));
    }
  });
});

describe('decode', () => {
  it('refuses samples that are not numbers, and says where', async () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      const samples = sound.slice();
      samples[1_234] = value;
      const error = await rejection(decode(wavFile([samples], { ...plain, type: 'f32' }), request));
      expect(error).toMatchObject({ code: 'non-finite-audio', details: { sample: 1_234 } });
    }
  });

  it('refuses a double too large for the samples of a clip', async () => {
    const file = wavFile([[0, 1e300, 0]], { ...plain, type: 'f64' });
    expect((await rejection(decode(file, request))).code).toBe('non-finite-audio');
  });

  it('takes a recording of exactly the longest length and refuses one a sample longer', async () => {
    const limits = { sampleRate: 16_000, maxSeconds: 0.25 };
    await expect(decode(wavFile([sound], plain), limits)).resolves.toBeDefined();
    const longer = wavFile([new Float32Array(4_001)], plain);
    expect(await rejection(decode(longer, limits))).toMatchObject({
      code: 'clip-too-long',
      details: { maxSeconds: 0.25 },
    });
  });

  it('refuses a recording that is shorter than one sample of the clip', async () => {
    const file = wavFile([[0.5]], { sampleRate: 384_000, type: 'f32' });
    expect((await rejection(decode(file, request))).code).toBe('empty-audio');
  });

  it('says of one sample at a higher rate that it is too short, not that there is none', async () => {
    const file = wavFile([Float32Array.of(0.5)], { sampleRate: 48_000, type: 's16' });
    expect((await rejection(pool.decode(file, request))).message).toMatch(
      /too short: its samples \(1\) at 48000 Hz/,
    );
  });

  it('leaves the bytes as they were', async () => {
    const file = wavFile([sound], plain);
    const copy = Buffer.from(file);
    await decode(file, request);
    expect(file.equals(copy)).toBe(true);
  });
});
