import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { decodeIndependently, describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { rejection } from '../../support/rejection';
import { largestDifference, swell } from '../../support/signals';
import { aLawValue, chunk, muLawValue, wavFile } from '../../support/wav-file';

const rate = 16_000;
const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());
const request = { sampleRate: rate, maxSeconds: 60 };
const sound = swell(0.25, rate);
const { round } = Math;

interface Format {
  readonly tag: number;
  readonly channels?: number;
  readonly bits: number;
  readonly align: number;
  readonly extension?: Buffer;
}

function file({ tag, channels = 1, bits, align, extension }: Format, data: Buffer): Buffer {
  const format = Buffer.alloc(16);
  format.writeUInt16LE(tag, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE(rate * align, 8);
  format.writeUInt16LE(align, 12);
  format.writeUInt16LE(bits, 14);
  const body = [chunk('fmt ', Buffer.concat([format, extension ?? Buffer.alloc(0)])), chunk('data', data)];
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...body]));
}

function wave(...chunks: readonly Buffer[]): Buffer {
  return chunk('RIFF', Buffer.concat([Buffer.from('WAVE'), ...chunks]));
}

/** The fmt chunk of 16-bit samples. */
const format16 = file({ tag: 1, bits: 16, align: 2 }, Buffer.alloc(0)).subarray(12, 36);
const noData = chunk('data', Buffer.alloc(0));

function write(bytes: number, put: (out: Buffer, value: number, at: number) => void): Buffer {
  const out = Buffer.alloc(sound.length * bytes);
  sound.forEach((value, index) => {
    put(out, value, index * bytes);
  });
  return out;
}

const s16 = write(2, (out, value, at) => out.writeInt16LE(round(value * 32_767), at));
const s24 = write(3, (out, value, at) => out.writeIntLE(round(value * 8_388_607), at, 3));
const lowInFour = write(4, (out, value, at) => out.writeInt32LE(round(value * 8_388_607), at));
const lowInFourUnsigned = write(4, (out, value, at) => out.writeIntLE(round(value * 8_388_607), at, 3));
const topInFour = write(4, (out, value, at) => out.writeInt32LE(round(value * 8_388_607) * 256, at));
const s64 = write(8, (out, value, at) => out.writeBigInt64LE(BigInt(round(value * 2 ** 53)) * 1024n, at));
const both = (data: Buffer, width: number): Buffer =>
  Buffer.concat(
    Array.from({ length: data.length / width }, (_, k) => data.subarray(k * width, (k + 1) * width)).flatMap(
      (sample) => [sample, sample],
    ),
  );

function companded(valueOf: (code: number) => number): Buffer {
  const values = Array.from({ length: 256 }, (_, code) => valueOf(code));
  const nearest = (wanted: number): number =>
    values.reduce(
      (best, value, code) => (Math.abs(value - wanted) < Math.abs(values[best]! - wanted) ? code : best),
      0,
    );
  return Buffer.from(Array.from(sound, nearest));
}
const mu = companded(muLawValue);
const a = companded(aLawValue);

function extension(validBits: number, subFormat: number, tail: string): Buffer {
  const out = Buffer.alloc(24);
  out.writeUInt16LE(22, 0);
  out.writeUInt16LE(validBits, 2);
  out.writeUInt16LE(subFormat, 8);
  Buffer.from(tail, 'hex').copy(out, 10);
  return out;
}
const usualTail = '000000001000800000aa00389b71';
const ambisonicTail = '00002107d3118644c8c1ca000000';

/** A RIFX file: every number the other way round. */
function rifx(type: 's16' | 's24' | 's32' | 'f32' | 'f64'): Buffer {
  const width = Number(type.slice(1)) / 8;
  const little = wavFile([sound], { sampleRate: rate, type });
  const big = Buffer.from(little);
  big.write('RIFX', 0, 'latin1');
  for (const at of [4, 16, 24, 28, 40]) big.subarray(at, at + 4).reverse();
  for (const at of [20, 22, 32, 34]) big.subarray(at, at + 2).reverse();
  for (let at = 44; at < big.length; at += width) big.subarray(at, at + width).reverse();
  return big;
}

const variants: readonly [string, Buffer][] = [
  ['64-bit integers', file({ tag: 1, bits: 64, align: 8 }, s64)],
  ['a block size in bits', file({ tag: 1, bits: 16, align: 16 }, s16)],
  ['a block size of 0', file({ tag: 1, bits: 16, align: 0 }, s16)],
  ['the block size of one channel for two', file({ tag: 1, channels: 2, bits: 16, align: 2 }, both(s16, 2))],
  ['a block size twice as large', file({ tag: 1, bits: 16, align: 4 }, s16)],
  ['no bits a sample, but a block size', file({ tag: 1, bits: 0, align: 2 }, s16)],
  ['24 bits at the bottom of 4 bytes', file({ tag: 1, bits: 24, align: 4 }, lowInFour)],
  [
    '24 bits at the bottom of 4 bytes without a sign above',
    file({ tag: 1, bits: 24, align: 4 }, lowInFourUnsigned),
  ],
  [
    '24 bits at the bottom of 4 bytes, stereo',
    file({ tag: 1, channels: 2, bits: 24, align: 8 }, both(lowInFour, 4)),
  ],
  ['24 bits at the top of 4 bytes', file({ tag: 1, bits: 24, align: 4 }, topInFour)],
  [
    '24 valid bits in an extensible 32',
    file({ tag: 0xfffe, bits: 32, align: 4, extension: extension(24, 1, usualTail) }, topInFour),
  ],
  [
    '20 valid bits in an extensible 24',
    file({ tag: 0xfffe, bits: 24, align: 3, extension: extension(20, 1, usualTail) }, s24),
  ],
  ['an extensible tag without an extension', file({ tag: 0xfffe, bits: 16, align: 2 }, s16)],
  [
    'an extensible tag with an empty extension',
    file({ tag: 0xfffe, bits: 16, align: 2, extension: Buffer.alloc(2) }, s16),
  ],
  [
    'an Ambisonic sub-format',
    file({ tag: 0xfffe, bits: 16, align: 2, extension: extension(16, 1, ambisonicTail) }, s16),
  ],
  ...[0, 8, 13, 14, 16].flatMap((bits): [string, Buffer][] => [
    [`µ-law with ${bits} bits stated`, file({ tag: 7, bits, align: 1 }, mu)],
    [`A-law with ${bits} bits stated`, file({ tag: 6, bits, align: 2 }, a)],
  ]),
  [
    'an extensible µ-law',
    file({ tag: 0xfffe, bits: 8, align: 1, extension: extension(8, 7, usualTail) }, mu),
  ],
  ...(['s16', 's24', 's32', 'f32', 'f64'] as const).map((type): [string, Buffer] => [
    `its numbers the other way round (RIFX, ${type})`,
    rifx(type),
  ]),
];

/** Chunks as ffmpeg does not take them. */
const orders: readonly [string, Buffer][] = [
  ['its format behind its sound', wave(chunk('data', s16), format16)],
  ['an empty data chunk in front of the one with its sound', wave(format16, noData, chunk('data', s16))],
  [
    'two empty data chunks and its format behind its sound',
    wave(noData, noData, chunk('data', s16), format16),
  ],
];

describe('a WAV file', () => {
  it.each([...variants, ...orders])('may have %s', async (name, bytes) => {
    const { samples, source, warnings } = await pool.decode(bytes, request);
    expect(source).toMatchObject({ format: 'wav', sampleRate: rate, durationSeconds: 0.25 });
    expect(source.codec.endsWith('be')).toBe(name.includes('RIFX'));
    const isCompanded = name.includes('-law');
    expect(largestDifference(samples, sound)).toBeLessThan(isCompanded ? 128 / 8192 : 2 / 32_768);
    expect(warnings).toEqual([]);
  });

  it('hung behind another is heard behind it, whatever its rate', async () => {
    const second = wavFile([swell(0.25, 8000)], { sampleRate: 8000, type: 's24' });
    const { samples, source } = await pool.decode(
      Buffer.concat([file({ tag: 1, bits: 16, align: 2 }, s16), chunk('LIST', Buffer.alloc(5)), second]),
      request,
    );
    expect(source.durationSeconds).toBe(0.5);
    expect(largestDifference(samples.subarray(0, sound.length), sound)).toBeLessThan(2 / 32_768);
    const alone = await pool.decode(second, request);
    expect(largestDifference(samples.subarray(sound.length), alone.samples)).toBe(0);
  });

  it('without a word of what its sound is, or of the sound, is refused with that', async () => {
    expect((await rejection(pool.decode(wave(chunk('data', s16)), request))).message).toMatch(/no fmt chunk/);
    expect((await rejection(pool.decode(wave(format16), request))).message).toMatch(/before its data chunk/);
  });

  it('at the rate of a bat detector may be as much shorter as its rate is higher', async () => {
    const at = { sampleRate: 768_000, type: 's16' } as const;
    const limits = { sampleRate: rate, maxSeconds: 1 };
    await expect(pool.decode(wavFile([new Float32Array(384_000)], at), limits)).resolves.toBeDefined();
    const error = await rejection(pool.decode(wavFile([new Float32Array(384_001)], at), limits));
    expect(error).toMatchObject({ code: 'clip-too-long', message: expect.stringContaining('0.5 s') });
    expect(error.message).toContain('768000 Hz');
  });

  it.each([
    ['16-bit', 2 ** 15],
    ['24-bit', 2 ** 23],
    ['32-bit', 2 ** 31],
  ])(
    'may hold %s whole numbers as floats: they are brought to full scale, with a warning',
    async (_, scale) => {
      const whole = sound.map((x) => Math.round(x * scale));
      const { samples, warnings } = await pool.decode(
        wavFile([whole], { sampleRate: rate, type: 'f32' }),
        request,
      );
      expect(largestDifference(samples, sound)).toBeLessThan(1 / 32_768);
      expect(warnings).toEqual([expect.stringContaining('another scale')]);
    },
  );

  it.each([1e2, 1e20, 1e38])(
    'may be %d times too large: nothing but its level is another',
    async (factor) => {
      const large = sound.map((x) => x * factor);
      const { samples, warnings } = await pool.decode(
        wavFile([large], { sampleRate: rate, type: 'f32' }),
        request,
      );
      const scale = samples[2000]! / large[2000]!;
      expect(
        largestDifference(
          samples,
          large.map((x) => x * scale),
        ),
      ).toBeLessThan(1e-6);
      expect(Math.max(...samples.map(Math.abs))).toBeLessThanOrEqual(1);
      expect(warnings).toEqual([expect.stringContaining('another scale')]);
    },
  );

  it('with a few samples far beyond all others is heard without them', async () => {
    const broken = sound.slice();
    broken.set([3e9, -2e9, 1e30], 2000);
    const { samples, warnings } = await pool.decode(
      wavFile([broken], { sampleRate: rate, type: 'f32' }),
      request,
    );
    expect(largestDifference(samples.subarray(0, 2000), sound.subarray(0, 2000))).toBe(0);
    expect(largestDifference(samples.subarray(2480), sound.subarray(2480))).toBe(0);
    expect(warnings).toEqual([expect.stringContaining('muted')]);
  });

  it('with a compressed format says its name and the way out where there is no ffmpeg', async () => {
    const poor = createDecoderPool({ threads: 1, ffmpegPath: '/nowhere/ffmpeg' });
    try {
      for (const [tag, name] of [
        [0x31, 'GSM 6.10'],
        [2, 'Microsoft ADPCM'],
        [0x11, 'IMA ADPCM'],
        [0x9999, 'format 39321'],
      ] as const) {
        const error = await rejection(
          poor.decode(file({ tag, bits: 4, align: 65 }, Buffer.alloc(650)), request),
        );
        expect(error.code).toBe('unsupported-media');
        expect(error.message).toContain(name);
        expect(error.message).toMatch(/install ffmpeg.*or send WAV/);
      }
    } finally {
      await poor.close();
    }
  });
});

describeWithFfmpeg('a WAV file, as ffmpeg hears it,', () => {
  const stated = variants.filter(
    // ffmpeg takes these for something else: noise, or nothing.
    ([name]) =>
      !/bits at the|no bits|block size of 0|block size in bits|twice|one channel for two|without an ext/.test(
        name,
      ),
  );
  it.each(
    stated.filter(([name]) => !/RIFX|empty ext|Ambisonic|24 valid|0 bits|13 bits|14 bits|16 bits/.test(name)),
  )('sounds the same with %s', async (_, bytes) => {
    const { samples } = await pool.decode(bytes, request);
    expect(largestDifference(samples, decodeIndependently(bytes))).toBeLessThan(1e-6);
  });

  it.each([
    ['a.sph', ['-f', 'nistsphere'], 'sph'],
    ['a.voc', [], 'voc'],
    ['a.w64', [], 'w64'],
    ['a.au', [], 'au'],
    ['a.caf', [], 'caf'],
    ['a.aiff', [], 'aiff'],
  ])('may also be %s', async (name, args, format) => {
    // ffmpeg writes no SPHERE files: its header is text.
    const wav = wavFile([sound], { sampleRate: rate, type: 's16' });
    const made = format === 'sph' ? sphere(s16) : encode(wav, name, ...args, '-c:a', pcmOf(format));
    const { samples, source } = await pool.decode(made, request);
    expect(source).toMatchObject({ format, sampleRate: rate });
    expect(largestDifference(samples.subarray(0, sound.length), sound)).toBeLessThan(1 / 16_000);
  });
});

function pcmOf(format: string): string {
  return ['au', 'caf', 'aiff'].includes(format) ? 'pcm_s16be' : 'pcm_s16le';
}

function sphere(data: Buffer): Buffer {
  const head = Buffer.alloc(1024, ' ');
  head.write(
    [
      'NIST_1A',
      '   1024',
      `sample_rate -i ${rate}`,
      'channel_count -i 1',
      'sample_n_bytes -i 2',
      `sample_count -i ${data.length / 2}`,
      'sample_byte_format -s2 01',
      'sample_coding -s3 pcm',
      'end_head',
      '',
    ].join('\n'),
  );
  return Buffer.concat([head, data]);
}
