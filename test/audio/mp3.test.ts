import { createDecoderPool } from '../../shared/audio/decoder-pool';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { rejection } from '../support/rejection';
import { largestDifference, swell } from '../support/signals';
import { wavFile } from '../support/wav-file';

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
