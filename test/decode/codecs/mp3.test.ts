import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { rejection } from '../../support/rejection';
import { largestDifference, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());
const request = { sampleRate: 16_000, maxSeconds: 60 };

describeWithFfmpeg('an MP3 file put together from several', () => {
  // Without the encoder's notes, whose delay and padding only stand for the file's first part.
  const bare = ['-write_xing', '0', '-id3v2_version', '0'];
  const made = new Map<string, Buffer>();
  function part(sampleRate: number, channels: 1 | 2, layer: 2 | 3 = 3): Buffer {
    const key = `${sampleRate} ${channels} ${layer}`;
    const sound = swell(1, sampleRate);
    const wav = wavFile(channels === 1 ? [sound] : [sound, sound], { sampleRate, type: 's16' });
    const file = made.get(key) ?? encode(wav, `a.mp${layer}`, ...(layer === 3 ? bare : []));
    made.set(key, file);
    return file;
  }

  it.each([
    ['its rate', [part(22_050, 1), part(44_100, 1)]],
    ['its rate and back', [part(48_000, 2), part(8_000, 1), part(48_000, 2)]],
    ['its rate and channels', [part(22_050, 1), part(32_000, 2), part(16_000, 1)]],
    ['its layer', [part(48_000, 2), part(48_000, 2, 2), part(48_000, 1)]],
  ])('that changes %s sounds like its parts', async (_, parts) => {
    const clips = await Promise.all(parts.map((bytes) => pool.decode(bytes, request)));
    const whole = await pool.decode(Buffer.concat(parts), request);
    const { sampleRate, channels } = clips[0]!.source;
    expect(whole.source).toMatchObject({ sampleRate, channels });
    let at = 0;
    for (const { samples } of clips) {
      // Where two parts of one rate meet, the resampler goes on: its filter reaches across.
      const heard = whole.samples.subarray(at + 400, at + samples.length - 400);
      expect(largestDifference(heard, samples.subarray(400, -400))).toBeLessThan(0.02);
      at += samples.length;
    }
    expect(Math.abs(whole.samples.length - at)).toBeLessThanOrEqual(parts.length);
  });

  it.each([
    ['one channel to two', [part(44_100, 1), part(44_100, 2)]],
    ['two channels to one', [part(44_100, 2), part(44_100, 1)]],
  ])('that goes from %s sounds like its parts', async (_, parts) => {
    const clips = await Promise.all(parts.map((bytes) => pool.decode(bytes, request)));
    const { samples, source } = await pool.decode(Buffer.concat(parts), request);
    expect(source.channels).toBe(2);
    const seam = clips[0]!.samples.length;
    // The decoder is not begun anew here: what it holds of the frame before ends some samples later.
    const behind = samples.subarray(seam + 3_000);
    const wanted = clips[1]!.samples;
    const best = Array.from({ length: 2_400 }, (__, shift) =>
      Math.abs(largestDifference(behind.subarray(0, 800), wanted.subarray(shift + 1_800, shift + 2_600))),
    );
    expect(Math.min(...best)).toBeLessThan(0.05);
    expect(
      largestDifference(samples.subarray(0, seam - 400), clips[0]!.samples.subarray(0, -400)),
    ).toBeLessThan(0.02);
  });

  it('is refused where it changes again and again', async () => {
    const [slow, fast] = [part(8_000, 1), part(16_000, 1)].map((bytes) =>
      bytes.subarray(0, bytes.length / 2),
    );
    const file = Buffer.concat(Array.from({ length: 80 }, (_, index) => (index % 2 === 0 ? slow! : fast!)));
    expect(await rejection(pool.decode(file, request))).toMatchObject({
      code: 'undecodable-audio',
      message: expect.stringContaining('changes more than 64 times'),
    });
  });
});

describeWithFfmpeg('an MP3 file with damaged frames', () => {
  it('has no sound beyond full scale, and goes on behind them as if nothing were', async () => {
    const file = encode(
      wavFile([swell(4, 44_100)], { sampleRate: 44_100, type: 's16' }),
      'a.mp3',
      '-b:a',
      '128k',
    );
    const { samples: whole } = await pool.decode(file, { ...request, sampleRate: 44_100 });
    const warned = new Set<string>();
    for (let frame = 60; frame < 72; frame += 1) {
      const copy = Buffer.from(file);
      const at = frameAt(copy, frame);
      // The gain of both granules, in mono: as loud as can be written.
      for (const bit of [39, 98]) setByte(copy, 8 * (at + 4) + bit, 0xff);
      const { samples, warnings } = await pool.decode(copy, { ...request, sampleRate: 44_100 });
      for (const warning of warnings) warned.add(warning);
      expect(samples.findIndex((sample) => Math.abs(sample) > 8)).toBe(-1);
      for (const part of [
        [0, 1152 * (frame - 4)],
        [1152 * (frame + 4), whole.length],
      ] as const)
        expect(largestDifference(samples.subarray(...part), whole.subarray(...part))).toBeLessThan(1e-3);
    }
    expect([...warned].join()).toContain('far beyond full scale');
  });
});

/** Where the nth frame of a mono file of 44.1 kHz and 128 kbit/s begins. */
function frameAt(file: Buffer, frame: number): number {
  let at = file.indexOf(Buffer.from([0xff, 0xfb]));
  for (let seen = 0; seen < frame; seen += 1) at += 417 + ((file[at + 2]! >> 1) & 1);
  return at;
}

/** Writes eight bits that begin anywhere. */
function setByte(bytes: Buffer, bit: number, value: number): void {
  const [at, shift] = [bit >> 3, bit & 7];
  const both = bytes.readUInt16BE(at) & ~(0xff << (8 - shift));
  bytes.writeUInt16BE((both | (value << (8 - shift))) & 0xffff, at);
}
