import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { createContainerThread } from '../../../shared/decode/stream/container-thread';
import { createPcmDecoder } from '../../../shared/decode/stream/pcm-decoder';
import type { StreamDecoder } from '../../../shared/decode/stream/stream-decoder';
import { AppError } from '../../../shared/errors/app-error';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { largestDifference, randomNumbers, signalToErrorDb, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

type Chunk = () => number;

/** Everything a stream gives for bytes cut into chunks, as one signal. */
async function decodeStream(bytes: Uint8Array, decoder: StreamDecoder, chunk: Chunk): Promise<Float32Array> {
  const pieces: Float32Array[] = [];
  try {
    for (let at = 0; at < bytes.length;) {
      const size = chunk();
      // The sender's memory is its own again once a piece was pushed.
      const borrowed = Uint8Array.from(bytes.subarray(at, at + size));
      for await (const { samples } of decoder.push(borrowed)) pieces.push(samples);
      borrowed.fill(0xee);
      at += size;
    }
    for await (const { samples } of decoder.finish()) pieces.push(samples);
  } finally {
    decoder.close();
  }
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    expect(piece.length).toBeLessThanOrEqual(48_000);
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const thread = createContainerThread();
const pool = createDecoderPool({ threads: 1 });
afterAll(() => Promise.all([thread.close(), pool.close()]));

const sound = swell(0.75, 48_000);
const wav = wavFile([sound], { sampleRate: 48_000, type: 'f32' });

function chunks(largest: number, seed = 1): Chunk {
  const random = randomNumbers(seed);
  return () => 1 + Math.floor(random() * largest);
}

async function failure(bytes: Uint8Array, decoder = thread.open(), chunk = chunks(500)): Promise<string> {
  try {
    await decodeStream(bytes, decoder, chunk);
    return 'decoded';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

describe('PCM as it comes', () => {
  const frames = 1003;
  const left = Float32Array.from({ length: frames }, (_, k) => ((k * 37) % 200) / 256);
  const right = Float32Array.from({ length: frames }, (_, k) => -((k * 11) % 100) / 256);
  const mono = left.map((sample, k) => (sample + right[k]!) / 2);

  it.each(['pcm_s16le', 'pcm_f32le'] as const)(
    '%s, two channels, is mixed to mono whatever the cuts',
    async (encoding) => {
      const width = encoding === 'pcm_s16le' ? 2 : 4;
      const bytes = Buffer.alloc(frames * 2 * width);
      for (let k = 0; k < frames; k += 1) {
        for (const [channel, samples] of [left, right].entries()) {
          const at = (2 * k + channel) * width;
          if (width === 2) bytes.writeInt16LE(samples[k]! * 32_768, at);
          else bytes.writeFloatLE(samples[k]!, at);
        }
      }
      for (const largest of [1, 3, 100, 9000]) {
        expect(
          largestDifference(
            await decodeStream(bytes, createPcmDecoder(encoding, 8000, 2), chunks(largest)),
            mono,
          ),
        ).toBe(0);
      }
      // The last frame lacks a byte.
      const cut = await decodeStream(bytes.subarray(0, -1), createPcmDecoder(encoding, 8000, 2), chunks(50));
      expect(largestDifference(cut, mono.subarray(0, -1))).toBe(0);
    },
  );

  it('is refused when it is not numbers', async () => {
    const bytes = Buffer.alloc(400);
    bytes.writeFloatLE(NaN, 200);
    expect(await failure(bytes, createPcmDecoder('pcm_f32le', 8000, 1))).toBe('non-finite-audio');
  });
});

describeWithFfmpeg('containers as they come', () => {
  const opus = ['-c:a', 'libopus', '-b:a', '96k'];
  // `-live 1`: as a recorder writes, who cannot go back: unknown sizes, no index.
  const files: [string, Buffer][] = [
    ['ogg', encode(wav, 'a.ogg', ...opus)],
    ['webm', encode(wav, 'a.webm', ...opus)],
    ['live webm', encode(wav, 'b.webm', ...opus, '-live', '1', '-dash', '0')],
    [
      'stereo webm of 60 ms packets',
      encode(
        wavFile([sound, sound], { sampleRate: 48_000, type: 'f32' }),
        'c.webm',
        ...opus,
        '-frame_duration',
        '60',
      ),
    ],
    ['ogg of 2.5 ms packets', encode(wav, 'd.ogg', ...opus, '-frame_duration', '2.5')],
  ];

  it.each(files)('%s gives the same samples in any chunks, and the sound that went in', async (_, bytes) => {
    const whole = await decodeStream(bytes, thread.open(), () => bytes.length);
    expect(Math.abs(whole.length - sound.length)).toBeLessThan(48_000 * 0.05);
    expect(signalToErrorDb(whole, sound)).toBeGreaterThan(20);
    for (const largest of [1, 400, 5000]) {
      expect(largestDifference(await decodeStream(bytes, thread.open(), chunks(largest)), whole)).toBe(0);
    }
  });

  it.each(files)('%s gives what the same file gives when it is uploaded', async (_, bytes) => {
    const { samples } = await pool.decode(bytes, { sampleRate: 48_000, maxSeconds: 10 });
    const streamed = await decodeStream(bytes, thread.open(), chunks(999));
    // The decoder of uploads leaves up to a pre-skip of the encoder’s padding on Ogg of a single page.
    expect(Math.abs(streamed.length - samples.length)).toBeLessThanOrEqual(312);
    expect(streamed.length).toBe(sound.length);
    // WebM is uploaded through ffmpeg, whose Opus decoder is not the one here.
    expect(signalToErrorDb(streamed, samples)).toBeGreaterThan(60);
  });

  it.each(['ogg', 'webm'])('%s: a recorder that starts anew goes on behind the old', async (ending) => {
    const file = encode(wav, `a.${ending}`, ...opus);
    const once = await decodeStream(file, thread.open(), chunks(300));
    const twice = await decodeStream(Buffer.concat([file, file]), thread.open(), chunks(300));
    expect(twice.length).toBe(2 * once.length);
    expect(largestDifference(twice.subarray(once.length), once)).toBeLessThan(1e-6);
  });

  it.each([
    ['ogg with vorbis', 'unsupported-media', () => encode(wav, 'v.ogg', '-c:a', 'libvorbis')],
    ['webm with vorbis', 'unsupported-media', () => encode(wav, 'v.webm', '-c:a', 'libvorbis')],
    ['WAV', 'unsupported-media', () => wav],
    ['MP4', 'unsupported-media', () => encode(wav, 'a.mp4', '-c:a', 'libopus')],
    ['no container', 'unsupported-media', () => Buffer.from('hello there, this is text')],
    ['a few bytes', 'unsupported-media', () => Buffer.from('hello')],
  ])('refuses %s with %s', async (_, code, make) => {
    expect(await failure(make())).toBe(code);
  });

  it('survives 300 damaged streams: each decodes or is refused by a known code', async () => {
    const random = randomNumbers(23);
    const codes = new Map<string, number>();
    const short = wavFile([sound.subarray(0, 14_400)], { sampleRate: 48_000, type: 'f32' });
    const seeds = [encode(short, 'a.ogg', ...opus), encode(short, 'b.webm', ...opus, '-live', '1')];
    for (let trial = 0; trial < 300; trial += 1) {
      const bytes = Buffer.from(seeds[trial % 2]!);
      for (let change = 0; change < 1 + (trial % 12); change += 1) {
        // Half of the damage in the first bytes, where the structure is.
        const reach = random() < 0.5 ? 300 : bytes.length;
        bytes[Math.floor(random() * reach)] = random() < 0.3 ? 0xff : Math.floor(random() * 256);
      }
      const code = await failure(
        bytes.subarray(0, Math.ceil(random() * bytes.length)),
        thread.open(),
        chunks(4000, trial),
      );
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect([...codes.keys()].sort()).toEqual(['decoded', 'undecodable-audio', 'unsupported-media']);
  });
});
