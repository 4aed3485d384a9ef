import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { expectedSeconds } from '../../../shared/decode/pool/expected-seconds';
import { describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import { swell } from '../../support/signals';
import { chunk, wavFile } from '../../support/wav-file';

const pool = createDecoderPool({ threads: 1 });
afterAll(() => pool.close());
const seconds = 6;
const wavOf = (type: 'u8' | 's24', more: object = {}): Buffer =>
  wavFile([swell(seconds, 22_050), swell(seconds, 22_050)], { sampleRate: 22_050, type, ...more });
/** The margin, and what encoders add. */
const atMost = seconds + 1.2;

describe('the expected length of a recording', () => {
  it.each([
    ['eight bits', wavOf('u8')],
    ['24 bits', wavOf('s24')],
    ['chunks before the sound', wavOf('u8', { extraChunks: [chunk('LIST', Buffer.alloc(5000))] })],
    ['a size of 0, as of a stream', wavOf('u8', { dataSize: 0 })],
    ['a size that is too small', wavOf('u8', { dataSize: 1000 })],
  ])('is that of a WAV file: %s', (_, file) => {
    const expected = expectedSeconds(file);
    expect(expected).toBeGreaterThanOrEqual(seconds);
    expect(expected).toBeLessThan(atMost);
  });

  it('is never too short for the samples', async () => {
    const folder = join(__dirname, '../../../../samples');
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.ogg'))) {
      const bytes = readFileSync(join(folder, name));
      const { source } = await pool.decode(bytes, { sampleRate: 16_000, maxSeconds: 600 });
      expect(expectedSeconds(bytes) - source.durationSeconds).toBeGreaterThan(0);
      expect(expectedSeconds(bytes) - source.durationSeconds).toBeLessThan(1.2);
    }
  });

  it('is reckoned from the size where there is no header, or one that makes no sense', () => {
    const noise = Buffer.alloc(50_000, 0x55);
    const broken = ['RIFF____WAVE', 'fLaC', 'OggS\0', '\x1a\x45\xdf\xa3'].map((start) => {
      const bytes = Buffer.from(noise);
      bytes.write(start, 'latin1');
      return bytes;
    });
    // What the third of them claims as its length is nonsense, and may be anything.
    for (const bytes of [noise, broken[0]!, broken[2]!, broken[3]!]) expect(expectedSeconds(bytes)).toBe(51);
    expect(expectedSeconds(broken[1]!)).toBeGreaterThan(0);
    for (let length = 0; length < 64; length += 1) {
      for (const bytes of broken) expect(expectedSeconds(bytes.subarray(0, length))).toBeGreaterThan(0);
    }
  });

  it('takes a moment, whatever the bytes are', () => {
    // Chunks of no length, as many as fit; and no page where the last one is looked for.
    const chunks = Buffer.alloc(26_214_400, 'junk\0\0\0\0', 'latin1');
    chunks.write('RIFF____WAVE', 'latin1');
    const pages = Buffer.alloc(26_214_400, 'OggS', 'latin1');
    pages.write('OggS\0', 'latin1');
    for (const bytes of [chunks, pages]) {
      const before = process.cpuUsage().user;
      expectedSeconds(bytes);
      expect(process.cpuUsage().user - before).toBeLessThan(100_000);
    }
  });
});

describeWithFfmpeg('the expected length of a recording that ffmpeg has written', () => {
  it.each([
    ['a.flac', []],
    ['a.ogg', ['-c:a', 'libvorbis']],
    ['a.opus', ['-c:a', 'libopus', '-b:a', '8k']],
    ['a.opus', ['-c:a', 'libopus', '-b:a', '64k']],
    ['a.wav', ['-c:a', 'pcm_alaw']],
  ])('%s %p', (name, args) => {
    const expected = expectedSeconds(encode(wavOf('u8'), name, ...args));
    expect(expected).toBeGreaterThanOrEqual(seconds);
    expect(expected).toBeLessThan(atMost);
  });

  it.each([
    ['a.mp3', ['-b:a', '8k', '-ar', '8000', '-ac', '1']],
    ['a.mp3', ['-b:a', '128k']],
    ['a.m4a', ['-c:a', 'aac', '-b:a', '64k']],
  ])('is at least that of %s %p', (name, args) => {
    expect(expectedSeconds(encode(wavOf('u8'), name, ...args))).toBeGreaterThanOrEqual(seconds);
  });
});
