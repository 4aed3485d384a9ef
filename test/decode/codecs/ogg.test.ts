import { concatenate } from '../../../shared/signal/concatenate';
import { createDecoderPool } from '../../../shared/decode/pool/decoder-pool';
import { createContainerThread } from '../../../shared/decode/stream/container-thread';
import { decodeIndependently, describeWithFfmpeg, encode } from '../../support/ffmpeg-tool';
import {
  firstFlag,
  lastFlag,
  packetsOf,
  pageOf,
  readPages,
  writeOgg,
  writePage,
  type Page,
} from '../../support/ogg-file';
import { rejection } from '../../support/rejection';
import { largestDifference, randomNumbers, swell } from '../../support/signals';
import { wavFile } from '../../support/wav-file';

const rate = 48_000;
const seconds = 3;
const pool = createDecoderPool({ threads: 2 });
const thread = createContainerThread();
afterAll(() => Promise.all([pool.close(), thread.close()]));

const request = { sampleRate: rate, maxSeconds: 600 };

/** All that a stream gives of a file that comes in pieces, as one signal. */
async function stream(file: Buffer): Promise<Float32Array> {
  const decoder = thread.open();
  const random = randomNumbers(file.length);
  const heard: Float32Array[] = [];
  try {
    for (let at = 0; at < file.length;) {
      const size = 1 + Math.floor(random() * 3000);
      for await (const { samples } of decoder.push(Uint8Array.from(file.subarray(at, at + size))))
        heard.push(samples);
      at += size;
    }
    for await (const { samples } of decoder.finish()) heard.push(samples);
  } finally {
    decoder.close();
  }
  return concatenate(
    heard,
    heard.reduce((sum, { length }) => sum + length, 0),
  );
}

/**
 * What a stream of the file gives; streams take Opus alone, so of another codec what the upload gave.
 */
function streamed(codec: string, file: Buffer, uploaded: Float32Array): Promise<Float32Array> {
  return codec === 'opus' ? stream(file) : Promise.resolve(uploaded);
}

/** Noise all through, so that every millisecond counts. */
function noise(): Float32Array {
  const random = randomNumbers(5);
  return swell(seconds, rate).map((x) => x + 0.1 * (random() - 0.5));
}

const opus = ['-c:a', 'libopus', '-b:a', '64k', '-page_duration', '200000'];
const vorbis = ['-c:a', 'libvorbis', '-page_duration', '200000'];
const flac = ['-c:a', 'flac', '-page_duration', '200000'];

/** Changes to a file that take nothing from its sound. */
const harmless: readonly [string, (pages: Page[]) => Buffer][] = [
  ['a first-page flag on the page of tags', (pages) => flagged(pages, [1], firstFlag)],
  ['a first-page flag on every page', (pages) => flagged(pages, [...pages.keys()], firstFlag)],
  [
    'no first-page flag at all',
    (pages) => writeOgg(pages.map((page) => ({ ...page, flags: page.flags & 5 }))),
  ],
  ['a last-page flag on a page amid', (pages) => flagged(pages, [4], lastFlag)],
  ['no last-page flag', (pages) => writeOgg(trimless(pages))],
  ['pages all numbered 0', (pages) => writeOgg(pages.map((page) => ({ ...page, sequence: 0 })))],
  [
    'pages numbered from 7 on',
    (pages) => writeOgg(pages.map((page) => ({ ...page, sequence: page.sequence + 7 }))),
  ],
  ['checksums of 0', (pages) => withoutChecksums(writeOgg(pages))],
  [
    'an empty packet at the end',
    (pages) => writeOgg([...pages.slice(0, -1), withEmptyPacket(pages.at(-1)!)]),
  ],
  [
    'a page sent twice',
    (pages) => writeOgg(pages.flatMap((page, index) => (index === 3 ? [page, page] : [page]))),
  ],
  ['bytes between pages', (pages) => junkBetween(pages, Buffer.from('OggJunk Ogg'))],
  [
    'the end of a page in front',
    (pages) => Buffer.concat([writePage(pages[2]!).subarray(40), writeOgg(pages)]),
  ],
  ['bytes behind', (pages) => Buffer.concat([writeOgg(pages), Buffer.alloc(1000)])],
  ['other streams beside it', (pages) => writeOgg(beside(pages))],
  ['all on as few pages as there can be', (pages) => writeOgg(packed(pages))],
];

function flagged(pages: Page[], which: readonly number[], flag: number): Buffer {
  return writeOgg(
    pages.map((page, index) => (which.includes(index) ? { ...page, flags: page.flags | flag } : page)),
  );
}

/**
 * Without the last page's flag nothing says that its position cuts sound away: it states the end of its
 * packets.
 */
function trimless(pages: Page[]): Page[] {
  return pages.map((page) => ({ ...page, flags: page.flags & 3 }));
}

function withoutChecksums(file: Buffer): Buffer {
  const copy = Buffer.from(file);
  for (let at = copy.indexOf('OggS'); at >= 0; at = copy.indexOf('OggS', at + 1))
    copy.fill(0, at + 22, at + 26);
  return copy;
}

function withEmptyPacket(page: Page): Page {
  return { ...page, lacing: Buffer.concat([page.lacing, Buffer.from([0])]) };
}

function junkBetween(pages: Page[], junk: Buffer): Buffer {
  return Buffer.concat(pages.flatMap((page) => [writePage(page), junk]));
}

/** A Skeleton's head in front, pages of a film between. */
function beside(pages: Page[]): Page[] {
  const other = { granule: 0n, serial: 99, sequence: 0 };
  const first = pageOf([Buffer.from('fishead\0 and more')], { ...other, flags: firstFlag });
  const film = pageOf([Buffer.from('frame')], { ...other, flags: 0, sequence: 1 });
  return [pages[0]!, first, ...pages.slice(1).flatMap((page) => [page, film])];
}

function packed(pages: Page[]): Page[] {
  const { serial, granule } = pages.at(-1)!;
  const [head, ...rest] = packetsOf(pages);
  const bodies: Page[] = [pageOf([head!], { serial, sequence: 0, flags: firstFlag, granule: 0n })];
  let body: Buffer[] = [];
  let segments = 0;
  const end = (flags: number, position: bigint): void => {
    bodies.push(pageOf(body, { serial, sequence: bodies.length, flags, granule: position }));
    [body, segments] = [[], 0];
  };
  for (const packet of rest) {
    const count = Math.floor(packet.length / 255) + 1;
    if (segments + count > 255) end(0, -1n);
    body.push(packet);
    segments += count;
  }
  end(lastFlag, granule);
  return bodies;
}

describeWithFfmpeg('an Ogg file', () => {
  const files = new Map<string, { pages: Page[]; reference: Float32Array; whole: Float32Array }>();
  beforeAll(async () => {
    const wav = wavFile([noise()], { sampleRate: rate, type: 's16' });
    for (const [codec, args] of [
      ['opus', opus],
      ['vorbis', vorbis],
      ['flac', flac],
    ] as const) {
      const file = encode(wav, 'a.ogg', ...args);
      const reference = decodeIndependently(file, ...(codec === 'opus' ? ['-c:a', 'libopus'] : []));
      const { samples } = await pool.decode(file, request);
      files.set(codec, { pages: readPages(file), reference, whole: samples });
    }
  });

  it.each(['opus', 'vorbis', 'flac'])('with %s sounds as ffmpeg hears it', (codec) => {
    const { reference, whole, pages } = files.get(codec)!;
    expect(pages.length).toBeGreaterThan(10);
    expect(Math.abs(whole.length - rate * seconds)).toBeLessThan(rate * 0.02);
    const heard = Math.min(whole.length, reference.length);
    expect(Math.abs(whole.length - reference.length)).toBeLessThan(1100);
    expect(largestDifference(whole.subarray(0, heard), reference.subarray(0, heard))).toBeLessThan(1e-3);
  });

  for (const codec of ['opus', 'vorbis', 'flac']) {
    it.each(harmless)(`with ${codec} may have %s`, async (name, change) => {
      const { pages, whole } = files.get(codec)!;
      const file = change(pages.map((page) => ({ ...page })));
      const { samples, warnings } = await pool.decode(file, request);
      // What an encoder added at the end is only known from the last page's flag.
      const mayBeLonger = /no last|as few pages/.test(name);
      expect(samples.length - whole.length).toBeGreaterThanOrEqual(0);
      expect(samples.length - whole.length).toBeLessThanOrEqual(mayBeLonger ? 4096 : 0);
      expect(largestDifference(samples.subarray(0, whole.length), whole)).toBe(0);
      expect(warnings).toEqual([]);
      expect(largestDifference(await streamed(codec, file, samples), samples)).toBeLessThan(1e-6);
    });
  }

  it.each(['opus', 'vorbis', 'flac'])('with %s may be joined in its middle', async (codec) => {
    const { pages, whole } = files.get(codec)!;
    const heads = codec === 'opus' ? 2 : pages.findIndex(({ granule }) => granule > 0n);
    const file = writeOgg([...pages.slice(0, heads), ...pages.slice(heads + 6)]);
    const { samples } = await pool.decode(file, request);
    expect(samples.length).toBeGreaterThan(rate);
    expect(samples.length).toBeLessThan(whole.length);
    const end = samples.subarray(-rate);
    expect(largestDifference(end, whole.subarray(-rate))).toBeLessThan(1e-3);
    expect(largestDifference(await streamed(codec, file, samples), samples)).toBeLessThan(1e-6);
  });

  it.each(['opus', 'vorbis', 'flac'])(
    'with %s keeps the time of pages that are lost or damaged',
    async (codec) => {
      const { pages, whole } = files.get(codec)!;
      const lost = writeOgg([...pages.slice(0, 8), ...pages.slice(10)]);
      const damaged = Buffer.concat(
        pages.map((page, index) => {
          const bytes = writePage(page);
          if (index === 8 || index === 9) bytes[bytes.length - 1]! ^= 4;
          return bytes;
        }),
      );
      for (const file of [lost, damaged]) {
        const { samples, warnings } = await pool.decode(file, request);
        expect(samples.length).toBe(whole.length);
        expect(warnings.length).toBeGreaterThan(0);
        const zeros = samples.filter((sample) => sample === 0).length;
        expect(zeros).toBeGreaterThan(0.25 * rate);
        expect(zeros).toBeLessThan(0.7 * rate);
        const [start, end] = [rate, rate / 2];
        expect(largestDifference(samples.subarray(0, start), whole.subarray(0, start))).toBe(0);
        // Opus settles within a few packets after a loss.
        expect(largestDifference(samples.subarray(-end), whole.subarray(-end))).toBeLessThan(2e-3);
        expect(largestDifference(await streamed(codec, file, samples), samples)).toBeLessThan(1e-6);
      }
    },
  );

  it.each([
    ['in another unit', (granule: bigint): bigint => granule / 3n],
    ['all zero', (): bigint => 0n],
    ['from anywhere', (granule: bigint): bigint => granule + 0xf0000000n],
    [
      'that end in nonsense',
      (granule: bigint, isLast: boolean): bigint => (isLast ? 2n ** 63n - 1n : granule),
    ],
    ['that end in zero', (granule: bigint, isLast: boolean): bigint => (isLast ? 0n : granule)],
  ])('with Opus may state positions %s', async (_, change) => {
    const { pages, whole } = files.get('opus')!;
    const wrong = pages.map((page, index) => ({
      ...page,
      granule: index < 2 ? 0n : change(page.granule, index === pages.length - 1),
    }));
    for (const samples of [
      (await pool.decode(writeOgg(wrong), request)).samples,
      await stream(writeOgg(wrong)),
    ]) {
      expect(samples.length - whole.length).toBeGreaterThanOrEqual(0);
      expect(samples.length - whole.length).toBeLessThan(rate * 0.02);
      expect(largestDifference(samples.subarray(0, whole.length), whole)).toBeLessThan(1e-6);
    }
  });

  it('with Opus keeps a hole that its positions tell of', async () => {
    const { pages, whole } = files.get('opus')!;
    const later = pages.map((page, index) =>
      index < 10 ? page : { ...page, granule: page.granule + BigInt(20 * rate) },
    );
    for (const samples of [
      (await pool.decode(writeOgg(later), request)).samples,
      await stream(writeOgg(later)),
    ]) {
      expect(samples.length).toBe(whole.length + 20 * rate);
      expect(largestDifference(samples.subarray(-rate), whole.subarray(-rate))).toBeLessThan(1e-6);
    }
  });

  const picture = ['-f', 'lavfi', '-i', 'color=size=64x48:rate=25:duration=10'];
  const behindPicture = [...picture, '-c:v', 'libtheora', '-af', "asetpts='PTS+4/TB'"];

  it.each([
    ['opus', opus],
    ['vorbis', ['-c:a', 'libvorbis']],
    ['flac', ['-c:a', 'flac']],
  ])('with %s behind a picture that begins first keeps its place', async (codec, args) => {
    for (const maps of [
      ['-map', '0', '-map', '1'],
      ['-map', '1', '-map', '0'],
    ]) {
      const file = encode(
        wavFile([noise()], { sampleRate: rate, type: 's16' }),
        'a.ogv',
        ...behindPicture,
        ...maps,
        ...args,
      );
      const { samples } = await pool.decode(file, request);
      for (const heard of [samples, await streamed(codec, file, samples)]) {
        const begins = heard.findIndex((sample) => Math.abs(sample) > 1e-3) / rate;
        expect(Math.abs(begins - 4)).toBeLessThan(0.1);
        expect(Math.abs(heard.length / rate - 4 - seconds)).toBeLessThan(0.1);
      }
    }
  });

  it('with Opus behind a picture may have been joined after hours', async () => {
    const file = encode(
      wavFile([noise()], { sampleRate: rate, type: 's16' }),
      'a.ogv',
      ...picture,
      ...['-c:v', 'libtheora', '-output_ts_offset', '9000'],
      ...opus,
    );
    const { source } = await pool.decode(file, request);
    expect(Math.abs(source.durationSeconds - seconds)).toBeLessThan(0.1);
  });

  it.each([-20, -3.5, 1])('with Opus is as loud as an output gain of %d dB makes it', async (decibels) => {
    const { pages, whole } = files.get('opus')!;
    const [head, ...rest] = pages;
    const payload = Buffer.from(head!.payload);
    payload.writeInt16LE(decibels * 256, 16);
    const file = writeOgg([{ ...head!, payload }, ...rest]);
    const louder = whole.map((sample) => sample * 10 ** (decibels / 20));
    expect(largestDifference((await pool.decode(file, request)).samples, louder)).toBeLessThan(1e-6);
    expect(largestDifference(await stream(file), louder)).toBeLessThan(1e-6);
    // An independent decoder applies it too.
    const heard = decodeIndependently(file, '-c:a', 'libopus');
    const length = Math.min(heard.length, louder.length);
    expect(largestDifference(heard.subarray(0, length), louder.subarray(0, length))).toBeLessThan(2e-3);
  });

  it('says so when its first page is lost, uploaded or streamed', async () => {
    for (const codec of ['opus', 'vorbis', 'flac']) {
      const file = writeOgg(files.get(codec)!.pages.slice(1));
      const error = await rejection(pool.decode(file, request));
      expect(error).toMatchObject({
        code: 'undecodable-audio',
        message: expect.stringContaining('first page'),
      });
    }
    expect(await rejection(stream(writeOgg(files.get('opus')!.pages.slice(1))))).toMatchObject({
      code: 'undecodable-audio',
      message: expect.stringContaining('first page'),
    });
  });

  it('is refused when all its pages are damaged, and says where', async () => {
    const file = writeOgg(files.get('vorbis')!.pages);
    for (let at = file.indexOf('OggS'); at >= 0; at = file.indexOf('OggS', at + 1)) file[at + 22]! ^= 1;
    expect(await rejection(pool.decode(file, request))).toMatchObject({
      code: 'undecodable-audio',
      details: { format: 'Ogg', byteOffset: 0 },
    });
  });

  it('of nothing but markers costs no more than its size', async () => {
    const marker = Buffer.concat([Buffer.from('OggS\0\0'), Buffer.alloc(20, 1), Buffer.from([255])]);
    const file = Buffer.concat(Array.from({ length: 80_000 }, () => marker));
    expect((await rejection(pool.decode(file, request))).code).toBe('undecodable-audio');
  });

  it('goes on behind damaged packets, and is refused when all are', async () => {
    const { pages, whole } = files.get('opus')!;
    const broken = (page: Page): Page => ({ ...page, payload: Buffer.alloc(page.payload.length, 0xff) });
    const some = writeOgg(pages.map((page, index) => (index === 8 ? broken(page) : page)));
    const { samples } = await pool.decode(some, request);
    expect(Math.abs(samples.length - whole.length)).toBeLessThan(rate * 0.25);
    const all = writeOgg(pages.map((page, index) => (index < 2 ? page : broken(page))));
    expect((await rejection(pool.decode(all, request))).code).toBe('undecodable-audio');
    expect((await rejection(stream(all))).code).toBe('undecodable-audio');
  });
});
