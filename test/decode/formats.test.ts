import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import type { SourceFormat } from '../../shared/signal/clip';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { rejection } from '../support/rejection';
import { signalToErrorDb, swell, tone } from '../support/signals';
import { wavFile } from '../support/wav-file';

const pool = createDecoderPool({ threads: 2 });
afterAll(() => pool.close());
const request = { sampleRate: 16_000, maxSeconds: 60 };

const seconds = 2;
const made = new Map<string, Buffer>();

function wavAt(sampleRate: number, channels = 1): Buffer {
  const key = `${sampleRate} ${channels}`;
  const sound = made.has(key) ? new Float32Array(0) : swell(seconds, sampleRate);
  const all = Array.from({ length: channels }, () => sound);
  const file = made.get(key) ?? wavFile(all, { sampleRate, type: 's24', extensible: true });
  made.set(key, file);
  return file;
}

const wanted = swell(seconds, 16_000);

interface Case {
  readonly file: string;
  readonly args: readonly string[];
  readonly source: Partial<SourceFormat>;
  readonly sampleRate?: number;
  readonly channels?: number;
  /**
   * How near the decoded sound must come: the codec's own loss (LAME makes it 5 % quieter: 26 dB), or
   * its samples' depth.
   */
  readonly leastDb: number;
  /** What encoders add at the end that their format cannot take back. */
  readonly extraSeconds?: number;
}

const inProcess: readonly Case[] = [
  { file: 'a.flac', args: ['-sample_fmt', 's16'], source: { format: 'flac', codec: 'flac' }, leastDb: 75 },
  {
    file: 'a.flac',
    args: ['-sample_fmt', 's32'],
    source: { format: 'flac' },
    sampleRate: 96_000,
    leastDb: 100,
  },
  { file: 'a.flac', args: [], source: { channels: 6 }, channels: 6, leastDb: 75 },
  { file: 'a.flac', args: ['-compression_level', '12'], source: { channels: 2 }, channels: 2, leastDb: 100 },
  { file: 'a.flac', args: ['-compression_level', '0'], source: {}, leastDb: 100 },
  { file: 'a.flac', args: ['-frame_size', '16'], source: {}, sampleRate: 8_000, leastDb: 75 },
  {
    file: 'a.oga',
    args: ['-c:a', 'flac'],
    source: { format: 'ogg', codec: 'flac' },
    channels: 2,
    leastDb: 75,
  },
  { file: 'a.mp3', args: ['-b:a', '128k'], source: { format: 'mp3', codec: 'mp3' }, leastDb: 25 },
  { file: 'a.mp3', args: ['-q:a', '2'], source: { channels: 2 }, channels: 2, leastDb: 30 },
  { file: 'a.mp3', args: ['-b:a', '64k'], source: { sampleRate: 22_050 }, sampleRate: 22_050, leastDb: 25 },
  { file: 'a.mp3', args: ['-b:a', '32k'], source: { sampleRate: 8_000 }, sampleRate: 8_000, leastDb: 25 },
  { file: 'a.ogg', args: ['-c:a', 'libvorbis'], source: { format: 'ogg', codec: 'vorbis' }, leastDb: 20 },
  { file: 'a.ogg', args: ['-c:a', 'libvorbis'], source: { channels: 2 }, channels: 2, leastDb: 20 },
  { file: 'a.ogg', args: ['-c:a', 'libvorbis'], source: {}, sampleRate: 8_000, leastDb: 20 },
  {
    file: 'a.opus',
    args: ['-c:a', 'libopus', '-b:a', '96k'],
    source: { format: 'ogg', codec: 'opus', sampleRate: 48_000 },
    leastDb: 15,
  },
  {
    file: 'a.opus',
    args: ['-c:a', 'libopus', '-b:a', '320k', '-mapping_family', '1'],
    source: { sampleRate: 48_000, channels: 6 },
    sampleRate: 48_000,
    channels: 6,
    leastDb: 15,
  },
];

const foreign: readonly Case[] = [
  { file: 'a.m4a', args: [], source: { format: 'mp4', codec: 'aac' }, leastDb: 25, extraSeconds: 0.03 },
  {
    file: 'a.m4a',
    args: ['-movflags', 'faststart'],
    source: { format: 'mp4', codec: 'aac', channels: 2 },
    channels: 2,
    leastDb: 25,
    extraSeconds: 0.03,
  },
  { file: 'a.m4a', args: ['-c:a', 'alac'], source: { format: 'mp4', codec: 'alac' }, leastDb: 75 },
  {
    file: 'a.webm',
    args: ['-c:a', 'libopus'],
    source: { format: 'webm', codec: 'opus', sampleRate: 48_000 },
    leastDb: 15,
  },
  { file: 'a.mkv', args: ['-c:a', 'flac'], source: { format: 'matroska', codec: 'flac' }, leastDb: 75 },
  { file: 'a.aiff', args: [], source: { format: 'aiff', codec: 'pcm_s16be' }, leastDb: 75 },
  { file: 'a.au', args: [], source: { format: 'au', codec: 'pcm_s16be' }, leastDb: 75 },
  { file: 'a.caf', args: [], source: { format: 'caf', codec: 'pcm_s16be' }, leastDb: 75 },
  { file: 'a.w64', args: [], source: { format: 'w64', codec: 'pcm_s16le' }, leastDb: 75 },
  { file: 'a.wv', args: [], source: { format: 'wavpack', codec: 'wavpack' }, leastDb: 75 },
  {
    file: 'a.wav',
    args: ['-c:a', 'adpcm_ms'],
    source: { format: 'wav', codec: 'adpcm_ms' },
    leastDb: 20,
    extraSeconds: 0.05,
  },
];

/**
 * Formats whose encoder delay is not written down, so that the sound comes late: only facts and loudness
 * are compared.
 */
const delayed: readonly { file: string; args: readonly string[]; source: Partial<SourceFormat> }[] = [
  { file: 'a.aac', args: [], source: { format: 'aac', codec: 'aac' } },
  { file: 'a.wma', args: [], source: { format: 'asf', codec: 'wmav2' } },
  { file: 'a.mp2', args: [], source: { format: 'mp3', codec: 'mp2' } },
  { file: 'a.ts', args: ['-c:a', 'aac'], source: { format: 'mpegts', codec: 'aac' } },
];

describeWithFfmpeg('decode', () => {
  for (const { file, args, source, sampleRate = 44_100, channels = 1, leastDb, extraSeconds = 0 } of [
    ...inProcess,
    ...foreign,
  ]) {
    it(`hears ${[file, ...args].join(' ')} of ${channels} channels at ${sampleRate} Hz`, async () => {
      const encoded = encode(wavAt(sampleRate, channels), file, ...args);
      const clip = await pool.decode(encoded, request);
      expect(clip.source).toMatchObject({ sampleRate, channels, ...source });
      expect(clip.source.durationSeconds).toBeGreaterThanOrEqual(seconds - 1e-3);
      expect(clip.source.durationSeconds).toBeLessThan(seconds + extraSeconds + 1e-3);
      expect(clip.samples.length).toBe(Math.round(clip.source.durationSeconds * 16_000));
      expect(signalToErrorDb(clip.samples, wanted)).toBeGreaterThan(leastDb);
    });
  }

  for (const { file, args, source } of delayed) {
    it(`hears ${[file, ...args].join(' ')}`, async () => {
      const clip = await pool.decode(encode(wavAt(44_100), file, ...args), request);
      expect(clip.source).toMatchObject({ ...source, sampleRate: 44_100, channels: 1 });
      expect(Math.abs(clip.source.durationSeconds - seconds)).toBeLessThan(0.1);
      const energy = (samples: Float32Array): number => samples.reduce((sum, x) => sum + x * x, 0);
      expect(energy(clip.samples) / energy(wanted)).toBeCloseTo(1, 1);
    });
  }

  it('hears sound behind an ID3 tag and before one', async () => {
    const tag = Buffer.concat([Buffer.from([0x49, 0x44, 0x33, 4, 0, 0, 0, 0, 2, 44]), Buffer.alloc(300)]);
    const trailer = Buffer.alloc(128);
    trailer.write('TAG');
    for (const file of ['a.flac', 'a.mp3']) {
      const encoded = encode(wavAt(44_100), file);
      const clip = await pool.decode(Buffer.concat([tag, encoded, trailer]), request);
      expect(clip.source.durationSeconds).toBe(seconds);
      expect(signalToErrorDb(clip.samples, wanted)).toBeGreaterThan(25);
    }
  });

  it('hears a chain of Ogg streams as one recording, each at its own rate', async () => {
    const chain = Buffer.concat([
      encode(wavAt(44_100), 'a.ogg', '-c:a', 'libvorbis'),
      encode(wavAt(32_000, 2), 'b.ogg', '-c:a', 'libvorbis'),
      encode(wavAt(48_000), 'c.opus', '-c:a', 'libopus'),
      encode(wavAt(48_000), 'd.opus', '-c:a', 'libopus'),
    ]);
    const { source, samples } = await pool.decode(chain, request);
    expect(source).toMatchObject({ codec: 'vorbis', sampleRate: 44_100, channels: 1, durationSeconds: 8 });
    expect(samples).toHaveLength(128_000);
    for (let part = 0; part < 4; part += 1) {
      const heard = samples.subarray(part * 32_000, (part + 1) * 32_000);
      expect(signalToErrorDb(heard, wanted)).toBeGreaterThan(15);
    }
  });

  it('says that a film without sound has none', async () => {
    const picture = [
      '-f',
      'lavfi',
      '-i',
      'color=size=16x16:rate=5:duration=1',
      '-map',
      '1:v',
      '-c:v',
      'mpeg4',
    ];
    const film = encode(wavAt(8_000), 'a.mp4', ...picture);
    expect(await rejection(pool.decode(film, request))).toMatchObject({
      code: 'empty-audio',
      message: expect.stringContaining('no sound track'),
    });
  });

  for (const [file, args] of [
    ['a.flac', []],
    ['a.mp3', []],
    ['a.ogg', ['-c:a', 'libvorbis']],
    ['a.opus', ['-c:a', 'libopus']],
    ['a.m4a', []],
    ['a.aiff', []],
  ] as const) {
    it(`refuses ${file} that is too long`, async () => {
      const encoded = encode(wavAt(44_100), file, ...args);
      const error = await rejection(pool.decode(encoded, { sampleRate: 16_000, maxSeconds: 1.5 }));
      expect(error.code).toBe('clip-too-long');
    });
  }

  it('refuses a small file that would decode to hours, whatever its header claims', async () => {
    const twoHours = [
      '-f',
      'lavfi',
      '-i',
      'anullsrc=sample_rate=8000:duration=7200',
      '-map',
      '1:a',
      '-frame_size',
      '32768',
    ];
    const silence = encode(wavAt(8_000), 'a.flac', ...twoHours);
    expect(silence.length).toBeLessThan(250_000);
    const claimsNothing = Buffer.from(silence);
    claimsNothing.fill(0, 8 + 14, 8 + 18); // the low 32 bits of the sample count
    for (const file of [silence, claimsNothing]) {
      expect((await rejection(pool.decode(file, request))).code).toBe('clip-too-long');
    }
  });

  it('names the container and the way out when there is no ffmpeg', async () => {
    const poor = createDecoderPool({ threads: 1, ffmpegPath: '/nowhere/ffmpeg' });
    try {
      const error = await rejection(poor.decode(encode(wavAt(44_100), 'a.m4a'), request));
      expect(error).toMatchObject({ code: 'unsupported-media', details: { format: 'mp4' } });
      expect(error.message).toContain('mp4');
      expect(error.message).toContain('install ffmpeg');
    } finally {
      await poor.close();
    }
  });
});

describe('decode', () => {
  it('refuses what is not sound as unsupported', async () => {
    for (const bytes of [Buffer.from('no sound at all'), Buffer.alloc(5_000)]) {
      expect((await rejection(pool.decode(bytes, request))).code).toBe('unsupported-media');
    }
  });

  it('refuses no bytes as empty', async () => {
    expect((await rejection(pool.decode(new Uint8Array(0), request))).code).toBe('empty-audio');
  });

  it('gives the rate that is asked for', async () => {
    const clip = await pool.decode(wavAt(44_100), { sampleRate: 22_050, maxSeconds: 60 });
    expect(clip.sampleRate).toBe(22_050);
    expect(signalToErrorDb(clip.samples, swell(seconds, 22_050))).toBeGreaterThan(90);
  });

  it('does not let ultrasound into the audible band', async () => {
    const clip = await pool.decode(
      wavFile([tone(21_000, 96_000, 96_000)], { sampleRate: 96_000, type: 'f32' }),
      request,
    );
    const loudest = clip.samples.subarray(1_000, 15_000).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(loudest).toBeLessThan(0.5e-5);
  });
});
