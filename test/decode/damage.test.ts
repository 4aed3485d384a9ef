import { createDecoderPool } from '../../shared/decode/pool/decoder-pool';
import type { Clip } from '../../shared/signal/clip';
import { AppError } from '../../shared/errors/app-error';
import { describeWithFfmpeg, encode } from '../support/ffmpeg-tool';
import { randomNumbers, signalToErrorDb, swell } from '../support/signals';
import { wavFile } from '../support/wav-file';

const pool = createDecoderPool({ threads: 2, timeLimitMs: 20_000 });
afterAll(() => pool.close());
const request = { sampleRate: 16_000, maxSeconds: 60 };
const { floor } = Math;

const answers = [
  ...['unsupported-media', 'undecodable-audio', 'empty-audio', 'non-finite-audio', 'clip-too-long'],
  'a clip',
];

/** What becomes of a file: `a clip` that is sound in itself, or the code of its refusal. */
async function outcome(file: Buffer): Promise<string> {
  try {
    const { samples, source } = await pool.decode(file, request);
    const isSound = samples.length > 0 && samples.every((x) => x - x === 0) && source.durationSeconds <= 60;
    return isSound ? 'a clip' : 'an unsound clip';
  } catch (error) {
    const { code, message } = error as AppError;
    // A thread that had to be stopped or died is safe, but here it would hide a decoder that hangs.
    return /was stopped|brought its decoder down/.test(message) ? message : code;
  }
}

const sound = swell(1, 22_050);
const wanted = swell(1, 16_000);
const wav = wavFile([sound], { sampleRate: 22_050, type: 's16' });

/**
 * Any change at all to a file: bits flipped, bytes overwritten, stretches cut out, doubled, or zeroed.
 */
function damage(file: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(file);
  const place = (): number => floor(random() * copy.length);
  const near = (): number => (random() < 0.4 ? floor(random() * 200) % copy.length : place());
  const kind = floor(random() * 5);
  if (kind === 0) copy[near()]! ^= 1 << floor(random() * 8);
  if (kind === 1) for (let count = 0; count < 10; count += 1) copy[near()] = floor(random() * 256);
  if (kind === 2) copy.fill(0, near(), place());
  const [from, length] = [near(), floor(random() * 300)];
  if (kind === 3) return Buffer.concat([copy.subarray(0, from), copy.subarray(from + length)]);
  if (kind === 4) return Buffer.concat([copy.subarray(0, from + length), copy.subarray(from)]);
  return copy;
}

function assertSafe(outcomes: readonly string[]): void {
  expect([...new Set(outcomes)].filter((result) => !answers.includes(result))).toEqual([]);
}

describe('decode, given a damaged WAV file', () => {
  it('answers or refuses, 600 times', async () => {
    const random = randomNumbers(31);
    const files = Array.from({ length: 600 }, () => damage(wav.subarray(0, 4_000), random));
    assertSafe(await Promise.all(files.map(outcome)));
  });
});

describe('decode, given rubbish behind a known beginning', () => {
  it('answers or refuses, 240 times', async () => {
    const random = randomNumbers(32);
    const beginnings = [
      'RIFF\0\0\0\0WAVEfmt ',
      'fLaC',
      'OggS',
      'ID3\x04\0\0\0\0\0\x10',
      '\xff\xfb\x90\0',
      '',
    ];
    const files = Array.from({ length: 240 }, (_, index) =>
      Buffer.concat([
        Buffer.from(beginnings[index % beginnings.length]!, 'latin1'),
        Buffer.from(Array.from({ length: floor(random() * 3_000) }, () => floor(random() * 256))),
      ]),
    );
    assertSafe(await Promise.all(files.map(outcome)));
  });
});

describeWithFfmpeg('decode, given a damaged file', () => {
  const formats = [
    { file: 'a.flac', args: [], trials: 250, leastDb: 75 },
    { file: 'a.mp3', args: [], trials: 250, leastDb: 20 },
    { file: 'a.ogg', args: ['-c:a', 'libvorbis'], trials: 250, leastDb: 15 },
    { file: 'a.opus', args: ['-c:a', 'libopus'], trials: 250, leastDb: 12 },
    { file: 'a.oga', args: ['-c:a', 'flac'], trials: 250, leastDb: 75 },
    { file: 'a.m4a', args: [], trials: 12, leastDb: 15 },
    { file: 'a.webm', args: ['-c:a', 'libopus'], trials: 12, leastDb: 12 },
  ] as const;
  const encoded = new Map<string, Buffer>();
  beforeAll(() => {
    for (const { file, args } of formats) encoded.set(file, encode(wav, file, ...args));
  });

  for (const { file, trials } of formats) {
    it(`answers or refuses, ${trials} times ${file}`, async () => {
      const random = randomNumbers(41);
      const files = Array.from({ length: trials }, () => damage(encoded.get(file)!, random));
      assertSafe(await Promise.all(files.map(outcome)));
    });
  }

  for (const { file, leastDb } of formats.slice(0, 5)) {
    it(`takes ${file} that was cut off as far as it goes`, async () => {
      const bytes = encoded.get(file)!;
      const results = await Promise.all(
        Array.from({ length: 13 }, (_, part) => bytes.subarray(0, floor((bytes.length * part) / 12))).map(
          (cut) => pool.decode(cut, request).catch((error: unknown) => error as AppError),
        ),
      );
      const refusals = results.filter((result) => result instanceof AppError);
      assertSafe(refusals.map(({ code }) => code));
      // Once there is sound, more bytes only ever add to it.
      const clips = results.slice(refusals.length).map((result) => (result as Clip).samples);
      const lengths = clips.map(({ length }) => length);
      expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
      expect(lengths.at(-1)).toBe(16_000);
      const long = clips.filter(({ length }) => length > 9_000);
      expect(long.length).toBeGreaterThan(0);
      for (const samples of long) {
        const middle = [floor(samples.length * 0.4), floor(samples.length * 0.9)] as const;
        const heard = samples.subarray(...middle);
        expect(signalToErrorDb(heard, wanted.subarray(...middle))).toBeGreaterThan(leastDb);
      }
    });
  }
});
